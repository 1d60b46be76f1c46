"""Facts on appeals against a decision, without their texts."""

from enum import StrEnum
from typing import ClassVar, Self

from shared.contracts import example_data
from shared.contracts.event import Person
from shared.contracts.ids import AppealId, DecisionId, MemberId, StatementId
from shared.contracts.moderation.base import ANSWER_REF, ContentFact


class Outcome(StrEnum):
    """Whether the decision is upheld or overturned."""

    UPHELD = "upheld"
    OVERTURNED = "overturned"


class _AppealFact(ContentFact, frozen=True, kw_only=True):
    """Base of facts about an appeal; a statement can have one appeal."""

    SUBJECT: ClassVar = "appeal_id"

    appeal_id: AppealId
    statement_id: StatementId
    decision_id: DecisionId
    appellant: Person


class AppealReceived(_AppealFact, frozen=True, kw_only=True):
    """An author appealed against a decision; another person than its moderator will decide."""

    WIRE: ClassVar = "moderation.appeal.received"

    @classmethod
    def example(cls) -> Self:
        return cls(
            ref=ANSWER_REF,
            space_id=example_data.SPACE,
            structure_id=example_data.COLLEGE,
            appeal_id=example_data.APPEAL,
            statement_id=example_data.STATEMENT,
            decision_id=example_data.DECISION,
            appellant=example_data.TEACHER,
        )


class AppealDecided(_AppealFact, frozen=True, kw_only=True):
    """A moderator other than the first one decided an appeal; its author is notified."""

    WIRE: ClassVar = "moderation.appeal.decided"

    outcome: Outcome
    moderator_id: MemberId | None = None

    @classmethod
    def example(cls) -> Self:
        return cls(
            ref=ANSWER_REF,
            space_id=example_data.SPACE,
            structure_id=example_data.COLLEGE,
            appeal_id=example_data.APPEAL,
            statement_id=example_data.STATEMENT,
            decision_id=example_data.DECISION,
            appellant=example_data.TEACHER,
            outcome=Outcome.OVERTURNED,
        )
