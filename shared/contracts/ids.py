"""Types of the ids in events; distinct types keep a post's id from being used as a member's.

All are UUIDs: version 7 for what is created here, version 5 of (tenant, source, kind, outside id)
for imports, so that services compute the same id without a call (`imported_id`). The id of
something that an event alone determines is derived from the event's id, so that a replay computes
the same id (`derived_id`).
"""

from hashlib import sha256
from typing import NewType
from uuid import UUID, uuid5

TenantId = NewType("TenantId", UUID)
StructureId = NewType("StructureId", UUID)
MemberId = NewType("MemberId", UUID)
SpaceId = NewType("SpaceId", UUID)
ContentId = NewType("ContentId", UUID)
CaseId = NewType("CaseId", UUID)
DecisionId = NewType("DecisionId", UUID)
StatementId = NewType("StatementId", UUID)
AppealId = NewType("AppealId", UUID)
NotificationId = NewType("NotificationId", UUID)
SessionId = NewType("SessionId", UUID)
AlertId = NewType("AlertId", UUID)
EventId = NewType("EventId", UUID)


def imported_id(tenant: TenantId, source: str, kind: str, outside_id: str) -> UUID:
    """Return the id of an imported thing: the same at every import.

    `source` distinguishes one outside system from another within a tenant, such as
    `stackexchange:french.meta`; `kind` is `member` or `content`.
    """
    return uuid5(tenant, f"{source}\n{kind}\n{outside_id}")


def derived_id(cause: EventId, *names: str) -> UUID:
    """Return an id that is derived from an event's id: the same at every replay.

    A UUIDv7 with the event's milliseconds, so that ids are in the order of their events; `names`
    distinguish several things that one event causes.
    """
    digest = int.from_bytes(sha256("\n".join((cause.hex, *names)).encode()).digest()[:16], "big")
    timestamp_bits = cause.int >> 80 << 80
    version_bits = 0x7 << 76 | 0b10 << 62
    version_mask = 0xF << 76 | 0b11 << 62
    return UUID(int=timestamp_bits | digest % (1 << 80) & ~version_mask | version_bits)
