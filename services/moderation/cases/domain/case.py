"""Cases: contents that a person should review, and the reasons."""

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
"""Time until a case of each severity must be decided."""
SEVERITY_BY_FLAG_REASON = {
    "violence": 4,
    "harassment": 3,
    "personal_data": 3,
    "insult": 2,
    "spam": 1,
    "other": 1,
}


MODERATORS = (Role.MODERATOR, Role.ADMINISTRATOR)
"""Roles that review cases and appeals, in a structure and below it."""


class CaseNotFound(NotFound):
    """No such case, or this moderator may not see it."""

    key = "case_not_found"


class CaseIsClosed(Conflict):
    """The case is decided already."""

    key = "case_is_closed"


class CaseIsClaimed(Conflict):
    """Another moderator has claimed the case."""

    key = "case_is_taken"


class ContentChanged(Conflict):
    """The decision names a version that is not the latest, which is `version`."""

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
    """An event in the history of a case or of its content; `detail` is a key, never a text."""

    what: str
    at: datetime
    version: int | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class CaseReason:
    """Why a person should review: a rule matched, people flagged, a hidden text was corrected."""

    kind: str
    severity: int
    at: datetime
    flag: CaseFlag | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A content that a person should review; there is one open case per content.

    `flags` counts people: two flags of one person count once.
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
        """Return its position in the queue."""
        return self.due_at, self.case_id

    def opened(self) -> CaseOpened:
        """Return the event that the case was opened."""
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
        """Return the event that the case was decided."""
        return CaseClosed(
            ref=self.subject.ref,
            space_id=self.subject.space_id,
            structure_id=self.subject.structure_id,
            case_id=self.case_id,
            outcome=outcome,
        )

    def claim(self, moderator: MemberId, now: datetime) -> tuple["Case", CaseAssigned]:
        """Claim the case for five minutes. Raises `CaseIsClosed`, `CaseIsClaimed`."""
        if self.state != "open":
            raise CaseIsClosed(case_id=self.case_id)
        is_claimed = self.claimed_until is not None and self.claimed_until > now
        if is_claimed and self.claimed_by != moderator:
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

    def add_reason(self, reason: str, severity: int, flaggers: int) -> "Case":
        """Add a reason for review; a more severe one brings the deadline forward."""
        severest = max(self.severity, severity)
        causes = self.because.split("+")
        return replace(
            self,
            because=self.because if reason in causes else f"{self.because}+{reason}",
            severity=severest,
            due_at=min(self.due_at, self.opened_at + DEADLINE_BY_SEVERITY[severest]),
            flags=self.flags + flaggers,
        )


CaseQueueKey = tuple[datetime, CaseId]
"""Sort key of the queue: the due time, then the case id."""
