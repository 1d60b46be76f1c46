"""What becomes of an appeal against a decision; never its text."""

from enum import StrEnum
from typing import ClassVar, Self

from shared.contracts import cast
from shared.contracts.event import Person
from shared.contracts.ids import AppealId, DecisionId, MemberId, StatementId
from shared.contracts.moderation.about import ANSWER_REF, ContentFact


class Outcome(StrEnum):
    """Whether the decision stands, or is reversed."""

    UPHELD = "upheld"
    OVERTURNED = "overturned"


class _OnAppeal(ContentFact, frozen=True, kw_only=True):
    """Common to all that is told of an appeal: one per statement."""

    SUBJECT: ClassVar = "appeal_id"

    appeal_id: AppealId
    statement_id: StatementId
    decision_id: DecisionId
    appellant: Person


class AppealReceived(_OnAppeal, frozen=True, kw_only=True):
    """An author contests a decision; a person who did not make it will decide."""

    WIRE: ClassVar = "moderation.appeal.received"

    @classmethod
    def example(cls) -> Self:
        return cls(
            ref=ANSWER_REF,
            space_id=cast.SPACE,
            structure_id=cast.COLLEGE,
            appeal_id=cast.APPEAL,
            statement_id=cast.STATEMENT,
            decision_id=cast.DECISION,
            appellant=cast.TEACHER,
        )


class AppealDecided(_OnAppeal, frozen=True, kw_only=True):
    """A moderator other than the first one decided an appeal; this is what tells its author."""

    WIRE: ClassVar = "moderation.appeal.decided"

    outcome: Outcome
    moderator_id: MemberId | None = None

    @classmethod
    def example(cls) -> Self:
        return cls(
            ref=ANSWER_REF,
            space_id=cast.SPACE,
            structure_id=cast.COLLEGE,
            appeal_id=cast.APPEAL,
            statement_id=cast.STATEMENT,
            decision_id=cast.DECISION,
            appellant=cast.TEACHER,
            outcome=Outcome.OVERTURNED,
        )
