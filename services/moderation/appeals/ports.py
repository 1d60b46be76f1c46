"""Ports of the handlers of statements and appeals."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.moderation.appeals.domain import Appeal
from services.moderation.cases.ports import CasesDeps, Statements
from shared.contracts.ids import AppealId, StatementId, TenantId
from shared.kit.core.unit_of_work import Unit

AppealQueueKey = tuple[datetime, AppealId]
"""Sort key of the queue: the time it was received, then the appeal id."""


class Appeals(Protocol):
    """The appeals of a tenant, their texts sealed."""

    async def add(self, unit: Unit, appeal: Appeal, text: str) -> bool:
        """Store a new appeal; return False when its statement was contested before."""

    async def save_outcome(self, unit: Unit, appeal: Appeal) -> None:
        """Store the outcome. The database refuses the first moderator and the author."""

    async def find_and_lock(
        self, unit: Unit, tenant: TenantId, appeal_id: AppealId
    ) -> tuple[Appeal, str] | None:
        """Return an appeal with its text, and lock its row; None if there is none."""

    async def find_by_statements(
        self, unit: Unit, tenant: TenantId, ids: Sequence[StatementId]
    ) -> dict[StatementId, Appeal]:
        """Return the appeals against these statements, by statement."""

    async def list_open(
        self, unit: Unit, tenant: TenantId, after: AppealQueueKey | None, limit: int
    ) -> Sequence[Appeal]:
        """List open appeals, the oldest first, after a queue key."""


@dataclass(frozen=True)
class AppealsDeps:
    """Dependencies of the handlers of this feature."""

    statements: Statements
    appeals: Appeals
    cases: CasesDeps
