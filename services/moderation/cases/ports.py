"""What the cases' handlers need."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.moderation.cases.domain import (
    Case,
    CaseEntry,
    CaseFlag,
    CaseQueueKey,
    Decision,
    Restriction,
    Statement,
    Subject,
    TextVersion,
)
from shared.contracts.ids import (
    AppealId,
    CaseId,
    ContentId,
    DecisionId,
    MemberId,
    StatementId,
    StructureId,
    TenantId,
)
from shared.kit.core.unit_of_work import NewId, Unit, Units


class Cases(Protocol):
    """The cases of a tenant."""

    async def save(self, unit: Unit, case: Case) -> None:
        """Keep a case, new or changed."""

    async def find_and_lock(self, unit: Unit, tenant: TenantId, case_id: CaseId) -> Case | None:
        """Find one and lock it."""

    async def find_open_and_lock(
        self, unit: Unit, tenant: TenantId, content: ContentId
    ) -> Case | None:
        """Find the open case of a content and lock it."""

    async def list_open(
        self, unit: Unit, tenant: TenantId, after: CaseQueueKey | None, limit: int
    ) -> Sequence[Case]:
        """List some open cases, the most urgent first, from after a place in the queue on."""

    async def ancestry(
        self, unit: Unit, tenant: TenantId, structure: StructureId
    ) -> tuple[StructureId, ...]:
        """Return a structure and its ancestors."""


class CaseHistories(Protocol):
    """What is kept beside each case: who flagged which version, and what happened."""

    async def add_flag(self, unit: Unit, case: Case, flag: CaseFlag) -> bool:
        """Keep a flag; True when this person had not flagged in this case before."""

    async def add_entry(self, unit: Unit, case: Case, entry: CaseEntry) -> None:
        """Keep what happened to a case or to its content."""

    async def list_flags(self, unit: Unit, case: Case) -> Sequence[CaseFlag]:
        """List the flags of a case, the first one first."""

    async def list_entries(self, unit: Unit, case: Case) -> Sequence[CaseEntry]:
        """List what happened to a case, the first entry first."""


class Decisions(Protocol):
    """What was decided, and the statements that were issued."""

    async def add(self, unit: Unit, tenant: TenantId, decision: Decision, subject: Subject) -> None:
        """Keep a decision."""

    async def add_statement(self, unit: Unit, tenant: TenantId, statement: Statement) -> None:
        """Keep a statement."""

    async def lock_restriction(
        self, unit: Unit, tenant: TenantId, content: ContentId
    ) -> Restriction:
        """Return what restricts a content.

        No other transaction that asks the same of this content goes on before this one ends. Lock
        the content's case first, where there is one.
        """

    async def add_reversal(
        self, unit: Unit, tenant: TenantId, decision_id: DecisionId, appeal_id: AppealId
    ) -> None:
        """Keep that a decision was reversed on appeal."""


class Statements(Protocol):
    """The statements of reasons, as authors read them."""

    async def find(
        self, unit: Unit, tenant: TenantId, statement_id: StatementId
    ) -> Statement | None:
        """Find a statement."""

    async def list_for(
        self,
        unit: Unit,
        tenant: TenantId,
        recipient: MemberId,
        before: StatementId | None,
        limit: int,
    ) -> Sequence[Statement]:
        """List someone's statements, the newest first."""

    async def find_moderator(
        self, unit: Unit, tenant: TenantId, statement: Statement
    ) -> MemberId | None:
        """Name who made the decision; None where a rule did."""


class ScreenedTexts(Protocol):
    """The sealed texts of what was screened, by version."""

    async def list_versions(
        self, unit: Unit, tenant: TenantId, content: ContentId
    ) -> Sequence[TextVersion]:
        """Unseal the texts of a content, masked as they may be shown, the oldest first."""

    async def find_passing_version(
        self, unit: Unit, tenant: TenantId, content: ContentId
    ) -> int | None:
        """Return the latest version if the rules passed it, all of them having been asked."""


class Removals(Protocol):
    """Which contents their authors took back."""

    async def add(self, unit: Unit, tenant: TenantId, content: ContentId, at: datetime) -> None:
        """Keep when an author removed a content."""

    async def find_removal_time(
        self, unit: Unit, tenant: TenantId, content: ContentId
    ) -> datetime | None:
        """Return when its author removed a content; None while it stands."""


@dataclass(frozen=True)
class CasesDeps:
    """Handed to the handlers of this feature."""

    unit: Units
    cases: Cases
    histories: CaseHistories
    decisions: Decisions
    texts: ScreenedTexts
    removals: Removals
    new_id: NewId
