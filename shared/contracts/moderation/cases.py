"""Facts on cases: contents that a human should review."""

from typing import ClassVar, Self

from shared.contracts import cast
from shared.contracts.event import Person
from shared.contracts.ids import CaseId, MemberId
from shared.contracts.moderation.base import ANSWER_REF, ContentFact


class CaseOpened(ContentFact, frozen=True, kw_only=True):
    """A content needs review by a human; there is one open case per content."""

    WIRE: ClassVar = "moderation.case.opened"
    SUBJECT: ClassVar = "case_id"

    case_id: CaseId
    because: str
    severity: int
    author: Person | None = None

    @classmethod
    def example(cls) -> Self:
        return cls(
            ref=ANSWER_REF,
            space_id=cast.SPACE,
            structure_id=cast.COLLEGE,
            case_id=cast.CASE,
            because="flags",
            severity=2,
            author=cast.TEACHER,
        )


class CaseAssigned(ContentFact, frozen=True, kw_only=True):
    """A moderator took over a case."""

    WIRE: ClassVar = "moderation.case.assigned"
    SUBJECT: ClassVar = "case_id"

    case_id: CaseId
    moderator_id: MemberId

    @classmethod
    def example(cls) -> Self:
        return cls(
            ref=ANSWER_REF,
            space_id=cast.SPACE,
            structure_id=cast.COLLEGE,
            case_id=cast.CASE,
            moderator_id=cast.HAMID,
        )


class CaseClosed(ContentFact, frozen=True, kw_only=True):
    """A moderator decided a case; the content may have been edited or removed in between."""

    WIRE: ClassVar = "moderation.case.closed"
    SUBJECT: ClassVar = "case_id"

    case_id: CaseId
    outcome: str

    @classmethod
    def example(cls) -> Self:
        return cls(
            ref=ANSWER_REF,
            space_id=cast.SPACE,
            structure_id=cast.COLLEGE,
            case_id=cast.CASE,
            outcome="hide",
        )
