"""What a member is, and how an outside account becomes one."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.contracts.identity import MemberKind
from shared.contracts.ids import MemberId, StructureId, TenantId
from shared.kit.errors import Conflict, NotFound

LONGEST_NAME = 200


class MemberNotFound(NotFound):
    """There is no such member in this tenant."""

    key = "member_not_found"


class EmailTaken(Conflict):
    """Another member of the tenant has this address."""

    key = "email_taken"


@dataclass(frozen=True, slots=True)
class Member:
    """Someone who belongs, or an account that a machine writes with."""

    tenant_id: TenantId
    member_id: MemberId
    display_name: str
    handle: str
    joined_at: datetime
    structure_id: StructureId | None = None
    email: str | None = None
    kind: MemberKind = MemberKind.PERSON
    minor: bool = False
    suspended: bool = False
    suspended_until: datetime | None = None


def handle_of(name: str, member_id: UUID) -> str:
    """Make a handle that nobody else has: names repeat, the end of an id does not."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", ".", plain).strip(".")[:40] or "member"
    return f"{words}.{member_id.hex[-8:]}"
