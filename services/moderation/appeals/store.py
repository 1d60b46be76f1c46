"""Appeals in PostgreSQL, their texts sealed."""

from collections.abc import Sequence
from dataclasses import asdict

import msgspec
import sqlalchemy as sa
from cryptography.fernet import Fernet
from sqlalchemy.dialects.postgresql import insert

from services.moderation.appeals.domain import Appeal
from services.moderation.appeals.ports import AppealQueueKey
from services.moderation.appeals.tables import APPEALS
from services.moderation.cases.domain import Subject
from shared.contracts.ids import AppealId, StatementId, TenantId
from shared.contracts.moderation import Outcome
from shared.kit.core.unit_of_work import Unit
from shared.kit.database.database import connection


class SqlAppeals:
    """See `ports.Appeals`."""

    def __init__(self, key: str) -> None:
        """Create it with a Fernet key. Raises ValueError when the key is invalid."""
        self._fernet = Fernet(key)

    async def add(self, unit: Unit, appeal: Appeal, text: str) -> bool:
        """See `ports.Appeals`."""
        values = asdict(appeal) | {
            "subject": msgspec.to_builtins(asdict(appeal.subject)),
            "sealed": self._fernet.encrypt(text.encode()),
        }
        row = insert(APPEALS).values(**values).on_conflict_do_nothing()
        return bool((await connection(unit).execute(row)).rowcount)

    async def save_outcome(self, unit: Unit, appeal: Appeal) -> None:
        """See `ports.Appeals`."""
        changed = {
            "outcome": appeal.outcome,
            "answer": appeal.answer,
            "decided_by": appeal.decided_by,
            "decided_at": appeal.decided_at,
        }
        condition = (APPEALS.c.tenant_id == appeal.tenant_id) & (
            APPEALS.c.appeal_id == appeal.appeal_id
        )
        await connection(unit).execute(sa.update(APPEALS).where(condition).values(changed))

    async def find_and_lock(
        self, unit: Unit, tenant: TenantId, appeal_id: AppealId
    ) -> tuple[Appeal, str] | None:
        """See `ports.Appeals`."""
        condition = (APPEALS.c.tenant_id == tenant) & (APPEALS.c.appeal_id == appeal_id)
        query = sa.select(APPEALS).where(condition).with_for_update()
        row = (await connection(unit).execute(query)).mappings().first()
        if row is None:
            return None
        return _to_appeal(row), self._fernet.decrypt(row["sealed"]).decode()

    async def find_by_statements(
        self, unit: Unit, tenant: TenantId, ids: Sequence[StatementId]
    ) -> dict[StatementId, Appeal]:
        """See `ports.Appeals`."""
        condition = (APPEALS.c.tenant_id == tenant) & APPEALS.c.statement_id.in_(ids)
        rows = await connection(unit).execute(sa.select(APPEALS).where(condition))
        return {row["statement_id"]: _to_appeal(row) for row in rows.mappings()}

    async def list_open(
        self, unit: Unit, tenant: TenantId, after: AppealQueueKey | None, limit: int
    ) -> Sequence[Appeal]:
        """See `ports.Appeals`."""
        condition = (APPEALS.c.tenant_id == tenant) & APPEALS.c.outcome.is_(None)
        if after is not None:
            condition &= sa.tuple_(APPEALS.c.received_at, APPEALS.c.appeal_id) > after
        order = (APPEALS.c.received_at, APPEALS.c.appeal_id)
        query = sa.select(APPEALS).where(condition).order_by(*order).limit(limit)
        return [_to_appeal(row) for row in (await connection(unit).execute(query)).mappings()]


def _to_appeal(row: sa.RowMapping) -> Appeal:
    values = {name: value for name, value in row.items() if name != "sealed"}
    values["outcome"] = Outcome(row["outcome"]) if row["outcome"] else None
    values["subject"] = msgspec.convert(row["subject"], Subject)
    return Appeal(**values)
