"""What a case is: a content that a person should look at, and why."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.moderation.cases.domain.subject import Subject
from shared.contracts.identity import Role
from shared.contracts.ids import CaseId, MemberId, TenantId
from shared.contracts.moderation import CaseAssigned, CaseClosed, CaseOpened
from shared.kit.core.errors import Conflict, NotFound

CLAIM_DURATION = timedelta(minutes=5)
DEADLINE_BY_SEVERITY = {
    1: timedelta(hours=72),
    2: timedelta(hours=24),
    3: timedelta(hours=4),
    4: timedelta(minutes=15),
}
"""How long a case of each severity may wait."""
SEVERITY_BY_FLAG_REASON = {
    "violence": 4,
    "harassment": 3,
    "personal_data": 3,
    "insult": 2,
    "spam": 1,
    "other": 1,
}


MODERATORS = (Role.MODERATOR, Role.ADMINISTRATOR)
"""Who looks at cases and appeals, in a structure and below it."""


class CaseNotFound(NotFound):
    """There is no such case, or none that this moderator may see."""

    key = "case_not_found"


class CaseIsClosed(Conflict):
    """The case was decided."""

    key = "case_is_closed"


class CaseIsClaimed(Conflict):
    """Another moderator has the case in hand."""

    key = "case_is_taken"


class ContentChanged(Conflict):
    """The decision names a version that is not the latest; `version` is the one to read."""

    key = "content_changed"


@dataclass(frozen=True, slots=True)
class CaseFlag:
    """One person's report of one version."""

    member_id: MemberId
    version: int
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class CaseEntry:
    """Something that happened to a case or to its content; `detail` is a key, never a text."""

    what: str
    at: datetime
    version: int | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class CaseReason:
    """Why a person should look: a rule matched, people flagged it, a hidden text was corrected."""

    kind: str
    severity: int
    at: datetime
    flag: CaseFlag | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A content that a person should look at; one open case per content.

    `flags` counts people: one who flags twice counts once.
    """

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
    def queue_key(self) -> "CaseQueueKey":
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
        """Say that it was decided."""
        return CaseClosed(
            ref=self.subject.ref,
            space_id=self.subject.space_id,
            structure_id=self.subject.structure_id,
            case_id=self.case_id,
            outcome=outcome,
        )

    def claim(self, moderator: MemberId, now: datetime) -> tuple["Case", CaseAssigned]:
        """Take it in hand for five minutes. Raises `CaseIsClosed`, `CaseIsClaimed`."""
        if self.state != "open":
            raise CaseIsClosed(case_id=self.case_id)
        taken = self.claimed_until is not None and self.claimed_until > now
        if taken and self.claimed_by != moderator:
            raise CaseIsClaimed(case_id=self.case_id)
        claimed = replace(self, claimed_by=moderator, claimed_until=now + CLAIM_DURATION)
        fact = CaseAssigned(
            ref=self.subject.ref,
            space_id=self.subject.space_id,
            structure_id=self.subject.structure_id,
            case_id=self.case_id,
            moderator_id=moderator,
        )
        return claimed, fact

    def add_reason(self, reason: str, severity: int, people: int) -> "Case":
        """Join another reason to look: the graver one counts, and brings the deadline nearer."""
        graver = max(self.severity, severity)
        causes = self.because.split("+")
        return replace(
            self,
            because=self.because if reason in causes else f"{self.because}+{reason}",
            severity=graver,
            due_at=min(self.due_at, self.opened_at + DEADLINE_BY_SEVERITY[graver]),
            flags=self.flags + people,
        )


CaseQueueKey = tuple[datetime, CaseId]
"""Where a case stands in the queue: by when it is due, then by its id."""
