"""People, places and times of the facts' examples: one small, coherent story."""

from datetime import UTC, datetime
from uuid import UUID

from shared.contracts.event import Person
from shared.contracts.ids import (
    AlertId,
    AppealId,
    CaseId,
    ContentId,
    DecisionId,
    MemberId,
    NotificationId,
    SessionId,
    SpaceId,
    StatementId,
    StructureId,
    TenantId,
)


def _id(number: int) -> UUID:
    return UUID(f"01932b6e-4c00-7000-8000-{number:012d}")


TENANT = TenantId(_id(1))
ACADEMY = StructureId(_id(2))
COLLEGE = StructureId(_id(3))
ZOE = MemberId(_id(11))
HAMID = MemberId(_id(12))
SPACE = SpaceId(_id(21))
QUESTION = ContentId(_id(31))
ANSWER = ContentId(_id(32))
COMMENT = ContentId(_id(33))
CASE = CaseId(_id(41))
DECISION = DecisionId(_id(42))
STATEMENT = StatementId(_id(43))
APPEAL = AppealId(_id(44))
NOTIFICATION = NotificationId(_id(51))
ALERT = AlertId(_id(61))
SESSION = SessionId(_id(71))
NOON = datetime(2026, 11, 3, 11, 0, tzinfo=UTC)

PUPIL = Person(member_id=ZOE, structure_id=COLLEGE, role="pupil")
TEACHER = Person(member_id=HAMID, structure_id=COLLEGE, role="teacher")
