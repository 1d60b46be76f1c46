"""Facts on decisions about a content, and on the reasons that its author receives."""

from typing import ClassVar, Self

from shared.contracts import example_data
from shared.contracts.event import Person
from shared.contracts.ids import AppealId, CaseId, DecisionId, MemberId, StatementId
from shared.contracts.moderation.base import (
    ANSWER_REF,
    RULE,
    Action,
    ContentFact,
    DecidedBy,
    RuleRef,
)


class DecisionMade(ContentFact, frozen=True, kw_only=True):
    """A rule's verdict or a moderator decided what happens to a content.

    `ref.version` is the version that was reviewed. `keep`, and every decision of a rule, apply to
    that version only; `hide` and `remove` of a moderator apply to the content until another
    decision.
    """

    WIRE: ClassVar = "moderation.decision.made"
    SUBJECT: ClassVar = "decision_id"

    decision_id: DecisionId
    action: Action
    policy: str
    reason: str
    decided_by: DecidedBy
    author: Person | None = None
    case_id: CaseId | None = None
    moderator_id: MemberId | None = None
    rules: tuple[RuleRef, ...] = ()

    @classmethod
    def example(cls) -> Self:
        return cls(
            ref=ANSWER_REF,
            space_id=example_data.SPACE,
            structure_id=example_data.COLLEGE,
            decision_id=example_data.DECISION,
            action=Action.HIDE,
            policy="insult",
            reason="insult.direct",
            decided_by=DecidedBy.RULE,
            author=example_data.TEACHER,
            rules=(RULE,),
        )


class StatementIssued(ContentFact, frozen=True, kw_only=True):
    """An author receives the reasons of a decision: this fact notifies them.

    The text is read from moderation by `statement_id`; the fact contains only its keys.
    """

    WIRE: ClassVar = "moderation.statement.issued"
    SUBJECT: ClassVar = "statement_id"

    statement_id: StatementId
    decision_id: DecisionId
    recipient: Person
    action: Action
    policy: str
    reason: str
    decided_by: DecidedBy

    @classmethod
    def example(cls) -> Self:
        return cls(
            ref=ANSWER_REF,
            space_id=example_data.SPACE,
            structure_id=example_data.COLLEGE,
            statement_id=example_data.STATEMENT,
            decision_id=example_data.DECISION,
            recipient=example_data.TEACHER,
            action=Action.HIDE,
            policy="insult",
            reason="insult.direct",
            decided_by=DecidedBy.RULE,
        )


class DecisionReversed(ContentFact, frozen=True, kw_only=True):
    """A decision was reversed on appeal: the content at `ref.version` is shown again.

    It stays hidden if another decision restricts it, or if its author removed it.
    """

    WIRE: ClassVar = "moderation.decision.reversed"
    SUBJECT: ClassVar = "decision_id"

    decision_id: DecisionId
    action: Action
    appeal_id: AppealId
    author: Person | None = None
    moderator_id: MemberId | None = None

    @classmethod
    def example(cls) -> Self:
        return cls(
            ref=ANSWER_REF,
            space_id=example_data.SPACE,
            structure_id=example_data.COLLEGE,
            decision_id=example_data.DECISION,
            action=Action.HIDE,
            appeal_id=example_data.APPEAL,
            author=example_data.TEACHER,
        )
