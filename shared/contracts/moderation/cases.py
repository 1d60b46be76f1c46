"""Facts on cases: contents that a human should review."""

from typing import ClassVar, Self

from shared.contracts import example_data
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
            space_id=example_data.SPACE,
            structure_id=example_data.COLLEGE,
            case_id=example_data.CASE,
            because="flags",
            severity=2,
            author=example_data.TEACHER,
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
            space_id=example_data.SPACE,
            structure_id=example_data.COLLEGE,
            case_id=example_data.CASE,
            moderator_id=example_data.HAMID,
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
            space_id=example_data.SPACE,
            structure_id=example_data.COLLEGE,
            case_id=example_data.CASE,
            outcome="hide",
        )
