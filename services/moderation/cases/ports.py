"""Ports of the handlers of cases."""

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
        """Store a new or changed case."""

    async def find_and_lock(self, unit: Unit, tenant: TenantId, case_id: CaseId) -> Case | None:
        """Return a case by id, and lock its row; None if there is none."""

    async def find_open_and_lock(
        self, unit: Unit, tenant: TenantId, content: ContentId
    ) -> Case | None:
        """Return the open case of a content, and lock its row; None if there is none."""

    async def list_open(
        self, unit: Unit, tenant: TenantId, after: CaseQueueKey | None, limit: int
    ) -> Sequence[Case]:
        """List open cases, the most urgent first, after a queue key."""

    async def ancestry(
        self, unit: Unit, tenant: TenantId, structure: StructureId
    ) -> tuple[StructureId, ...]:
        """Return a structure and its ancestors."""


class CaseHistories(Protocol):
    """The flags and entries of each case."""

    async def add_flag(self, unit: Unit, case: Case, flag: CaseFlag) -> bool:
        """Store a flag; return True when it is the first of this person in this case."""

    async def add_entry(self, unit: Unit, case: Case, entry: CaseEntry) -> None:
        """Store an entry in the history of a case."""

    async def list_flags(self, unit: Unit, case: Case) -> Sequence[CaseFlag]:
        """List the flags of a case, oldest first."""

    async def list_entries(self, unit: Unit, case: Case) -> Sequence[CaseEntry]:
        """List the entries of a case, oldest first."""


class Decisions(Protocol):
    """Decisions and statements of reasons; they are only ever added."""

    async def add(self, unit: Unit, tenant: TenantId, decision: Decision, subject: Subject) -> None:
        """Store a decision on a content."""

    async def add_statement(self, unit: Unit, tenant: TenantId, statement: Statement) -> None:
        """Store a statement of reasons."""

    async def lock_restriction(
        self, unit: Unit, tenant: TenantId, content: ContentId
    ) -> Restriction:
        """Return the restriction of a content, under a lock until the transaction ends.

        Another transaction that calls this for the same content waits. Lock the content's case
        first, where there is one.
        """

    async def add_reversal(
        self, unit: Unit, tenant: TenantId, decision_id: DecisionId, appeal_id: AppealId
    ) -> None:
        """Store that a decision was reversed on appeal."""


class Statements(Protocol):
    """The statements of reasons, as authors read them."""

    async def find(
        self, unit: Unit, tenant: TenantId, statement_id: StatementId
    ) -> Statement | None:
        """Return a statement by id; None if there is none."""

    async def list_for(
        self,
        unit: Unit,
        tenant: TenantId,
        recipient: MemberId,
        before: StatementId | None,
        limit: int,
    ) -> Sequence[Statement]:
        """List a recipient's statements, newest first, before an id."""

    async def find_moderator(
        self, unit: Unit, tenant: TenantId, statement: Statement
    ) -> MemberId | None:
        """Return the member who made the decision; None if a rule did."""


class ScreenedTexts(Protocol):
    """The sealed texts of screened contents, by version."""

    async def list_versions(
        self, unit: Unit, tenant: TenantId, content: ContentId
    ) -> Sequence[TextVersion]:
        """Return the unsealed texts of a content, masked for display, oldest first."""

    async def find_passing_version(
        self, unit: Unit, tenant: TenantId, content: ContentId
    ) -> int | None:
        """Return the latest version if all rules were evaluated and passed it, else None."""


class Removals(Protocol):
    """Contents that their authors removed."""

    async def add(self, unit: Unit, tenant: TenantId, content: ContentId, at: datetime) -> None:
        """Store when an author removed a content."""

    async def find_removal_time(
        self, unit: Unit, tenant: TenantId, content: ContentId
    ) -> datetime | None:
        """Return when its author removed a content; None if it was not removed."""


@dataclass(frozen=True)
class CasesDeps:
    """Dependencies of the handlers of this feature."""

    unit: Units
    cases: Cases
    histories: CaseHistories
    decisions: Decisions
    texts: ScreenedTexts
    removals: Removals
    new_id: NewId
