"""The ids that cross the wire: a type each, so that a post's id is never taken for a member's.

All are UUIDs: version 7 for what is born here, version 5 of (tenant, source, kind, outside id) for
what is imported, so that services agree on an id without a call (`imported_id`).
"""

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
NotificationId = NewType("NotificationId", UUID)
AlertId = NewType("AlertId", UUID)
EventId = NewType("EventId", UUID)


def imported_id(tenant: TenantId, source: str, kind: str, outside_id: str) -> UUID:
    """Name the thing that `source` knows as `outside_id`: the same id at every import.

    `source` is what distinguishes one outside system from another within a tenant, such as
    `stackexchange:french.meta`; `kind` is `member` or `content`.
    """
    return uuid5(tenant, f"{source}\n{kind}\n{outside_id}")
