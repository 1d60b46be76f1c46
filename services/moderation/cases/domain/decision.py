"""Decisions on a content, the restriction that they result in, and statements of reasons."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from services.moderation.cases.domain.subject import Subject
from shared.contracts.ids import CaseId, DecisionId, MemberId, StatementId
from shared.contracts.moderation import Action, DecidedBy, DecisionMade, RuleRef, StatementIssued


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision on a content, and its reason."""

    decision_id: DecisionId
    action: Action
    policy: str
    reason: str
    decided_by: DecidedBy
    moderator_id: MemberId | None = None
    case_id: CaseId | None = None
    rules: tuple[RuleRef, ...] = ()

    def made(self, subject: Subject) -> DecisionMade:
        """Return the event of this decision; `subject.version` is the version that was judged."""
        return DecisionMade(
            ref=subject.ref,
            space_id=subject.space_id,
            structure_id=subject.structure_id,
            decision_id=self.decision_id,
            action=self.action,
            policy=self.policy,
            reason=self.reason,
            decided_by=self.decided_by,
            author=subject.author,
            case_id=self.case_id,
            moderator_id=self.moderator_id,
            rules=self.rules,
        )


def show_decision(decision_id: DecisionId) -> Decision:
    """Return a decision to show a corrected text, which no person hides and no rule matches."""
    return Decision(decision_id, Action.KEEP, "corrected", "corrected", DecidedBy.RULE)


class Restriction(StrEnum):
    """The effect of all decisions on a content."""

    NEVER = "never"
    """It was never restricted."""
    LIFTED = "lifted"
    """It was restricted before, and is not now."""
    RULE = "rule"
    """Only a rule restricts it: a corrected text that passes is shown."""
    MEMBER = "member"
    """A person restricts it: only a person can show it again."""


@dataclass(frozen=True, slots=True)
class PastDecision:
    """An earlier decision on a content, and whether it was reversed on appeal."""

    action: Action
    decided_by: DecidedBy
    reversed: bool = False


def resulting_restriction(decisions: Iterable[PastDecision]) -> Restriction:
    """Return the effect of decisions, oldest first; a reversed one lifts, like `keep`."""
    current = Restriction.NEVER
    for decision in decisions:
        if decision.reversed:
            current = Restriction.LIFTED
        elif decision.action is Action.KEEP:
            restricted = current is not Restriction.NEVER
            current = Restriction.LIFTED if restricted else Restriction.NEVER
        elif decision.decided_by is DecidedBy.MEMBER:
            current = Restriction.MEMBER
        elif current is not Restriction.MEMBER:
            current = Restriction.RULE
    return current


@dataclass(frozen=True, slots=True)
class Statement:
    """The statement of reasons for a restriction, addressed to the author of the content."""

    statement_id: StatementId
    decision_id: UUID
    recipient: MemberId
    action: Action
    policy: str
    reason: str
    decided_by: DecidedBy
    issued_at: datetime
    subject: Subject


def issue_statement(
    statement_id: StatementId, decision: Decision, subject: Subject, now: datetime
) -> tuple[Statement, StatementIssued] | None:
    """Return the statement for the author, and its event; None without an author or for `keep`."""
    author = subject.author
    if author is None or decision.action is Action.KEEP:
        return None
    statement = Statement(
        statement_id,
        decision.decision_id,
        author.member_id,
        decision.action,
        decision.policy,
        decision.reason,
        decision.decided_by,
        now,
        subject,
    )
    fact = StatementIssued(
        ref=subject.ref,
        space_id=subject.space_id,
        structure_id=subject.structure_id,
        statement_id=statement_id,
        decision_id=decision.decision_id,
        recipient=author,
        action=decision.action,
        policy=decision.policy,
        reason=decision.reason,
        decided_by=decision.decided_by,
    )
    return statement, fact
