"""What the cases' handlers need."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.moderation.cases.domain import Case, Decision, Statement, Subject, Urgency
from shared.contracts.ids import CaseId, ContentId, StatementId, StructureId, TenantId
from shared.kit.unit import NewId, Unit, Units


class Cases(Protocol):
    """The cases of a tenant."""

    async def put(self, unit: Unit, case: Case) -> None:
        """Keep a case, new or changed."""

    async def find(self, unit: Unit, tenant: TenantId, case_id: CaseId) -> Case | None:
        """Find one and lock it."""

    async def open_on(self, unit: Unit, tenant: TenantId, content: ContentId) -> Case | None:
        """Find the open case of a content and lock it."""

    async def queue(
        self, unit: Unit, tenant: TenantId, after: Urgency | None, limit: int
    ) -> Sequence[Case]:
        """List some open cases, the most urgent first, from after a place in the queue on."""

    async def line(
        self, unit: Unit, tenant: TenantId, structure: StructureId
    ) -> tuple[StructureId, ...]:
        """Give a structure and its ancestors."""


class Decisions(Protocol):
    """What was decided, and the statements that were issued."""

    async def keep(
        self, unit: Unit, tenant: TenantId, decision: Decision, subject: Subject
    ) -> None:
        """Keep a decision."""

    async def issue(self, unit: Unit, tenant: TenantId, statement: Statement) -> None:
        """Keep a statement."""

    async def statement(
        self, unit: Unit, tenant: TenantId, statement_id: StatementId
    ) -> Statement | None:
        """Find a statement."""


class Texts(Protocol):
    """The sealed texts of what was screened."""

    async def read(self, unit: Unit, tenant: TenantId, content: ContentId) -> str | None:
        """Unseal the text of a content, masked as it may be shown; None when none is kept."""


@dataclass(frozen=True)
class CasesDeps:
    """Handed to the handlers of this feature."""

    unit: Units
    cases: Cases
    decisions: Decisions
    texts: Texts
    new_id: NewId
