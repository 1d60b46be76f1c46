"""Where each person's chain of audit rows ends: one fact per service, published each minute.

They are kept in the log, out of reach of whoever changes a service's database: a chain that was
changed, cut off or removed no longer ends where it was published to end.
"""

from base64 import b64decode
from typing import ClassVar, Self

from msgspec import Struct

from shared.contracts import cast
from shared.contracts.event import Fact, Instant
from shared.contracts.ids import MemberId, TenantId


class AuditHead(Struct, frozen=True, kw_only=True, gc=False):
    """The last row of a member's chain: its number, from 1 on, and its SHA-256."""

    member_id: MemberId
    number: int
    hash: bytes


class AuditSealed(Fact, frozen=True, kw_only=True):
    """Base of the five facts: the chains of a tenant that grew, and where each of them ends.

    `through` is when the rows were read. `signature` is the Ed25519 signature of service, tenant,
    `through` and heads with the key that `key_id` names; none where the service has no key.
    """

    KEY: ClassVar = "tenant_id"
    SUBJECT: ClassVar = "tenant_id"

    tenant_id: TenantId
    through: Instant
    heads: tuple[AuditHead, ...]
    key_id: str | None = None
    signature: bytes | None = None

    @classmethod
    def example(cls) -> Self:
        head = AuditHead(member_id=cast.HAMID, number=12, hash=b64decode("q83v" * 11 + "EjM="))
        return cls(
            tenant_id=cast.TENANT,
            through=cast.NOON,
            heads=(head,),
            key_id="5f2c9b1d8a7e4c30",
            signature=b64decode("ASNF" * 21 + "Zw=="),
        )


class IdentityAuditSealed(AuditSealed, frozen=True, kw_only=True):
    """Identity published where the audit chains of a tenant end."""

    WIRE: ClassVar = "identity.audit.sealed"
    TOPIC: ClassVar = "identity.audit"


class CommunityAuditSealed(AuditSealed, frozen=True, kw_only=True):
    """Community published where the audit chains of a tenant end."""

    WIRE: ClassVar = "community.audit.sealed"
    TOPIC: ClassVar = "community.audit"


class ModerationAuditSealed(AuditSealed, frozen=True, kw_only=True):
    """Moderation published where the audit chains of a tenant end."""

    WIRE: ClassVar = "moderation.audit.sealed"
    TOPIC: ClassVar = "moderation.audit"


class NotificationsAuditSealed(AuditSealed, frozen=True, kw_only=True):
    """Notifications published where the audit chains of a tenant end."""

    WIRE: ClassVar = "notifications.audit.sealed"
    TOPIC: ClassVar = "notifications.audit"


class MetricsAuditSealed(AuditSealed, frozen=True, kw_only=True):
    """Metrics published where the audit chains of a tenant end."""

    WIRE: ClassVar = "metrics.audit.sealed"
    TOPIC: ClassVar = "metrics.audit"
