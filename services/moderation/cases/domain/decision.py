"""What is decided of a content, what it leaves in force, and the reasons that are owed for it."""

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
    """What was decided of a content, and why."""

    decision_id: DecisionId
    action: Action
    policy: str
    reason: str
    decided_by: DecidedBy
    moderator_id: MemberId | None = None
    case_id: CaseId | None = None
    rules: tuple[RuleRef, ...] = ()

    def made(self, subject: Subject) -> DecisionMade:
        """Return what was decided; `subject.version` is the version that was judged."""
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
    """Show a corrected text: no person hides it, and no rule objects to it any more."""
    return Decision(decision_id, Action.KEEP, "corrected", "corrected", DecidedBy.RULE)


class Restriction(StrEnum):
    """What the decisions on a content leave in force."""

    NEVER = "never"
    """It was never restricted."""
    LIFTED = "lifted"
    """It was restricted, and is not any more."""
    RULE = "rule"
    """Only a rule restricts it: a corrected text that passes is shown."""
    MEMBER = "member"
    """A person restricts it: only a person shows it again."""


@dataclass(frozen=True, slots=True)
class PastDecision:
    """What one decision on a content said, and whether it was reversed on appeal."""

    action: Action
    decided_by: DecidedBy
    reversed: bool = False


def resulting_restriction(judgements: Iterable[PastDecision]) -> Restriction:
    """Return what decisions leave in force, oldest first; a reversed one lifts, as `keep` does."""
    current = Restriction.NEVER
    for judgement in judgements:
        if judgement.reversed:
            current = Restriction.LIFTED
        elif judgement.action is Action.KEEP:
            restricted = current is not Restriction.NEVER
            current = Restriction.LIFTED if restricted else Restriction.NEVER
        elif judgement.decided_by is DecidedBy.MEMBER:
            current = Restriction.MEMBER
        elif current is not Restriction.MEMBER:
            current = Restriction.RULE
    return current


@dataclass(frozen=True, slots=True)
class Statement:
    """The reasons of a restriction, owed to the author of what was restricted."""

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
    """Owe the author the reasons of a restriction; nobody is owed those of keeping a content."""
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
