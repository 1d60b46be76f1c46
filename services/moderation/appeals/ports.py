"""What the handlers of statements and appeals need."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.moderation.appeals.domain import Appeal
from services.moderation.cases.ports import CasesDeps, Statements
from shared.contracts.ids import AppealId, StatementId, TenantId
from shared.kit.core.unit_of_work import Unit

AppealQueueKey = tuple[datetime, AppealId]
"""Where an appeal stands in the queue: when it was received, then its id."""


class Appeals(Protocol):
    """The appeals of a tenant, their texts sealed."""

    async def add(self, unit: Unit, appeal: Appeal, text: str) -> bool:
        """Keep a new appeal; False when its statement was contested before."""

    async def save_outcome(self, unit: Unit, appeal: Appeal) -> None:
        """Keep its outcome. The database refuses the first moderator and the author."""

    async def find_and_lock(
        self, unit: Unit, tenant: TenantId, appeal_id: AppealId
    ) -> tuple[Appeal, str] | None:
        """Find an appeal with its text, and lock it."""

    async def find_by_statements(
        self, unit: Unit, tenant: TenantId, ids: Sequence[StatementId]
    ) -> dict[StatementId, Appeal]:
        """Find the appeals against these statements."""

    async def list_open(
        self, unit: Unit, tenant: TenantId, after: AppealQueueKey | None, limit: int
    ) -> Sequence[Appeal]:
        """List some open appeals, the oldest first, from after a place in the queue on."""


@dataclass(frozen=True)
class AppealsDeps:
    """Handed to the handlers of this feature."""

    statements: Statements
    appeals: Appeals
    cases: CasesDeps
