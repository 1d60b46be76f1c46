"""The cases in PostgreSQL."""

from collections.abc import Sequence
from dataclasses import asdict

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.moderation.cases.domain import Case, Decision, Statement, Subject, Urgency
from services.moderation.cases.tables import CASES, DECISIONS, STATEMENTS
from shared.contracts.ids import CaseId, ContentId, StatementId, StructureId, TenantId
from shared.contracts.moderation import Action, DecidedBy
from shared.kit.database import connection
from shared.kit.rights.store import ancestors
from shared.kit.unit import Unit

_KEPT = ("because", "severity", "due_at", "flags", "state", "claimed_by", "claimed_until")


class SqlCases:
    """See `ports.Cases`."""

    async def put(self, unit: Unit, case: Case) -> None:
        """Keep a case."""
        values = asdict(case) | {
            "subject": msgspec.to_builtins(asdict(case.subject)),
            "content_id": case.subject.content_id,
            "structure_id": case.subject.structure_id,
        }
        row = insert(CASES).values(**values)
        change = {name: values[name] for name in _KEPT}
        keys = ["tenant_id", "case_id"]
        await connection(unit).execute(row.on_conflict_do_update(index_elements=keys, set_=change))

    async def find(self, unit: Unit, tenant: TenantId, case_id: CaseId) -> Case | None:
        """Find one and lock it."""
        chosen = (CASES.c.tenant_id == tenant) & (CASES.c.case_id == case_id)
        return await _one(unit, chosen)

    async def open_on(self, unit: Unit, tenant: TenantId, content: ContentId) -> Case | None:
        """Find the open case of a content and lock it."""
        chosen = (
            (CASES.c.tenant_id == tenant)
            & (CASES.c.content_id == content)
            & (CASES.c.state == "open")
        )
        return await _one(unit, chosen)

    async def queue(
        self, unit: Unit, tenant: TenantId, after: Urgency | None, limit: int
    ) -> Sequence[Case]:
        """List some open cases, the most urgent first."""
        chosen = (CASES.c.tenant_id == tenant) & (CASES.c.state == "open")
        if after is not None:
            chosen &= sa.tuple_(CASES.c.due_at, CASES.c.case_id) > after
        order = (CASES.c.due_at, CASES.c.case_id)
        query = sa.select(CASES).where(chosen).order_by(*order).limit(limit)
        return [_case(row) for row in (await connection(unit).execute(query)).mappings()]

    async def line(
        self, unit: Unit, tenant: TenantId, structure: StructureId
    ) -> tuple[StructureId, ...]:
        """Give a structure and its ancestors."""
        return (*await ancestors(unit, tenant, structure), structure)


class SqlDecisions:
    """See `ports.Decisions`."""

    async def keep(
        self, unit: Unit, tenant: TenantId, decision: Decision, subject: Subject
    ) -> None:
        """Keep a decision."""
        values = asdict(decision) | {
            "tenant_id": tenant,
            "content_id": subject.content_id,
            "rules": msgspec.to_builtins(decision.rules),
            "decided_at": unit.now,
        }
        await connection(unit).execute(sa.insert(DECISIONS).values(**values))

    async def issue(self, unit: Unit, tenant: TenantId, statement: Statement) -> None:
        """Keep a statement."""
        values = asdict(statement) | {"tenant_id": tenant}
        await connection(unit).execute(sa.insert(STATEMENTS).values(**values))

    async def statement(
        self, unit: Unit, tenant: TenantId, statement_id: StatementId
    ) -> Statement | None:
        """Find a statement."""
        chosen = (STATEMENTS.c.tenant_id == tenant) & (STATEMENTS.c.statement_id == statement_id)
        found = await connection(unit).execute(sa.select(STATEMENTS).where(chosen))
        row = found.mappings().first()
        if row is None:
            return None
        values = {name: value for name, value in row.items() if name != "tenant_id"}
        values["action"] = Action(row["action"])
        values["decided_by"] = DecidedBy(row["decided_by"])
        return Statement(**values)


async def _one(unit: Unit, chosen: sa.ColumnElement[bool]) -> Case | None:
    found = await connection(unit).execute(sa.select(CASES).where(chosen).with_for_update())
    row = found.mappings().first()
    return _case(row) if row else None


def _case(row: sa.RowMapping) -> Case:
    beside = ("content_id", "structure_id", "subject")
    values = {name: value for name, value in row.items() if name not in beside}
    return Case(**values, subject=msgspec.convert(row["subject"], Subject))
