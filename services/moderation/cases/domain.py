"""What a case is, and what decisions leave behind."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from shared.contracts.community import ContentKind, ContentRef
from shared.contracts.event import Person
from shared.contracts.ids import (
    CaseId,
    ContentId,
    DecisionId,
    MemberId,
    SpaceId,
    StatementId,
    StructureId,
    TenantId,
)
from shared.contracts.moderation import (
    Action,
    CaseAssigned,
    CaseClosed,
    CaseOpened,
    DecidedBy,
    DecisionMade,
    RuleRef,
    StatementIssued,
)
from shared.kit.errors import Conflict, NotFound

LEASE = timedelta(minutes=5)
DEADLINES = {
    1: timedelta(hours=72),
    2: timedelta(hours=24),
    3: timedelta(hours=4),
    4: timedelta(minutes=15),
}
"""How long a case of each severity may wait."""
SEVERITY_OF_FLAG = {
    "violence": 4,
    "harassment": 3,
    "personal_data": 3,
    "insult": 2,
    "spam": 1,
    "other": 1,
}


class CaseNotFound(NotFound):
    """There is no such case, or none that this moderator may see."""

    key = "case_not_found"


class CaseIsClosed(Conflict):
    """The case was decided."""

    key = "case_is_closed"


class CaseIsTaken(Conflict):
    """Another moderator has the case in hand."""

    key = "case_is_taken"


class StatementNotFound(NotFound):
    """There is no such statement, or it is addressed to someone else."""

    key = "statement_not_found"


@dataclass(frozen=True, slots=True)
class Subject:
    """The content that something is about, and where it stands."""

    content_id: ContentId
    root_id: ContentId
    kind: ContentKind
    version: int
    space_id: SpaceId
    structure_id: StructureId
    parent_id: ContentId | None = None
    author_id: MemberId | None = None
    author_structure: StructureId | None = None
    author_role: str | None = None

    @classmethod
    def of(
        cls, ref: ContentRef, space: SpaceId, structure: StructureId, author: Person | None
    ) -> "Subject":
        """Take it from a fact."""
        return cls(
            ref.id,
            ref.root_id,
            ref.kind,
            ref.version,
            space,
            structure,
            ref.parent_id,
            author.member_id if author else None,
            author.structure_id if author else None,
            author.role if author else None,
        )

    @property
    def ref(self) -> ContentRef:
        """How facts name it."""
        return ContentRef(
            kind=self.kind,
            id=self.content_id,
            root_id=self.root_id,
            parent_id=self.parent_id,
            version=self.version,
        )

    @property
    def author(self) -> Person | None:
        """Who wrote it."""
        if self.author_id is None:
            return None
        return Person(
            member_id=self.author_id, structure_id=self.author_structure, role=self.author_role
        )


@dataclass(frozen=True, slots=True)
class Case:
    """A content that a human should look at; one open case per content."""

    tenant_id: TenantId
    case_id: CaseId
    subject: Subject
    because: str
    severity: int
    opened_at: datetime
    due_at: datetime
    flags: int = 0
    state: str = "open"
    claimed_by: MemberId | None = None
    claimed_until: datetime | None = None

    @property
    def urgency(self) -> "Urgency":
        """Where it stands in the queue."""
        return self.due_at, self.case_id

    def opened(self) -> CaseOpened:
        """Say that it was opened."""
        return CaseOpened(
            ref=self.subject.ref,
            space_id=self.subject.space_id,
            structure_id=self.subject.structure_id,
            case_id=self.case_id,
            because=self.because,
            severity=self.severity,
            author=self.subject.author,
        )

    def closed(self, outcome: str) -> CaseClosed:
        """Say that it needs nobody any more."""
        return CaseClosed(
            ref=self.subject.ref,
            space_id=self.subject.space_id,
            structure_id=self.subject.structure_id,
            case_id=self.case_id,
            outcome=outcome,
        )

    def claim(self, moderator: MemberId, now: datetime) -> tuple["Case", CaseAssigned]:
        """Take it in hand for five minutes. Raises `CaseIsClosed`, `CaseIsTaken`."""
        if self.state != "open":
            raise CaseIsClosed(case_id=self.case_id)
        taken = self.claimed_until is not None and self.claimed_until > now
        if taken and self.claimed_by != moderator:
            raise CaseIsTaken(case_id=self.case_id)
        claimed = replace(self, claimed_by=moderator, claimed_until=now + LEASE)
        fact = CaseAssigned(
            ref=self.subject.ref,
            space_id=self.subject.space_id,
            structure_id=self.subject.structure_id,
            case_id=self.case_id,
            moderator_id=moderator,
        )
        return claimed, fact

    def merge(self, because: str, severity: int, flags: int) -> "Case":
        """Join another reason to look: the graver one counts, and brings the deadline nearer."""
        graver = max(self.severity, severity)
        causes = self.because.split("+")
        return replace(
            self,
            because=self.because if because in causes else f"{self.because}+{because}",
            severity=graver,
            due_at=min(self.due_at, self.opened_at + DEADLINES[graver]),
            flags=self.flags + flags,
        )


Urgency = tuple[datetime, CaseId]
"""Where a case stands in the queue: by when it is due, then by its id."""


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
        """Say what was decided."""
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


def statement_of(
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
