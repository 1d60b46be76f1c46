"""The ids that cross the wire: a type each, so that a post's id is never taken for a member's.

All are UUIDs: version 7 for what is born here, version 5 of (tenant, source, kind, outside id) for
what is imported, so that services agree on an id without a call (`imported_id`). What follows from
an event alone is named after it, so that a replay finds the same id (`following_id`).
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
    """Name the thing that `source` knows as `outside_id`: the same id at every import.

    `source` is what distinguishes one outside system from another within a tenant, such as
    `stackexchange:french.meta`; `kind` is `member` or `content`.
    """
    return uuid5(tenant, f"{source}\n{kind}\n{outside_id}")


def derived_id(cause: EventId, *names: str) -> UUID:
    """Name what follows from an event: the same id at every replay, as old as the event.

    A UUIDv7 with the event's milliseconds, so that ids order as the events do; `names` distinguish
    several things that one event leads to.
    """
    digest = int.from_bytes(sha256("\n".join((cause.hex, *names)).encode()).digest()[:16], "big")
    moment = cause.int >> 80 << 80
    version = 0x7 << 76 | 0b10 << 62
    mark = 0xF << 76 | 0b11 << 62
    return UUID(int=moment | digest % (1 << 80) & ~mark | version)
