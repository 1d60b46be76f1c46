"""Ends of audit chains, one per member: one fact per service, published every minute.

The log keeps them out of reach of anyone who can change a service's database. A chain that was
changed, cut off or removed does not match its published end.
"""

from base64 import b64decode
from typing import ClassVar, Self

from msgspec import Struct

from shared.contracts import example_data
from shared.contracts.event import Fact, Instant
from shared.contracts.ids import MemberId, TenantId


class AuditHead(Struct, frozen=True, kw_only=True, gc=False):
    """The last row of a member's audit chain: its number (from 1) and its SHA-256."""

    member_id: MemberId
    number: int
    hash: bytes


class AuditSealed(Fact, frozen=True, kw_only=True):
    """Base of the five facts: the chains of a tenant that grew, and the end of each.

    `through` is when the rows were read. `signature` is the Ed25519 signature of service, tenant,
    `through` and heads, with the key `key_id`; both are absent if the service has no key.
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
        head = AuditHead(
            member_id=example_data.HAMID, number=12, hash=b64decode("q83v" * 11 + "EjM=")
        )
        return cls(
            tenant_id=example_data.TENANT,
            through=example_data.NOON,
            heads=(head,),
            key_id="5f2c9b1d8a7e4c30",
            signature=b64decode("ASNF" * 21 + "Zw=="),
        )


class IdentityAuditSealed(AuditSealed, frozen=True, kw_only=True):
    """Identity published the ends of a tenant's audit chains."""

    WIRE: ClassVar = "identity.audit.sealed"
    TOPIC: ClassVar = "identity.audit"


class CommunityAuditSealed(AuditSealed, frozen=True, kw_only=True):
    """Community published the ends of a tenant's audit chains."""

    WIRE: ClassVar = "community.audit.sealed"
    TOPIC: ClassVar = "community.audit"


class ModerationAuditSealed(AuditSealed, frozen=True, kw_only=True):
    """Moderation published the ends of a tenant's audit chains."""

    WIRE: ClassVar = "moderation.audit.sealed"
    TOPIC: ClassVar = "moderation.audit"


class NotificationsAuditSealed(AuditSealed, frozen=True, kw_only=True):
    """Notifications published the ends of a tenant's audit chains."""

    WIRE: ClassVar = "notifications.audit.sealed"
    TOPIC: ClassVar = "notifications.audit"


class MetricsAuditSealed(AuditSealed, frozen=True, kw_only=True):
    """Metrics published the ends of a tenant's audit chains."""

    WIRE: ClassVar = "metrics.audit.sealed"
    TOPIC: ClassVar = "metrics.audit"
