"""Cases in PostgreSQL."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.moderation.cases.domain import (
    Case,
    CaseEntry,
    CaseFlag,
    CaseQueueKey,
    Decision,
    PastDecision,
    Restriction,
    Statement,
    Subject,
    resulting_restriction,
)
from services.moderation.cases.tables import (
    CASE_ENTRIES,
    CASE_FLAGS,
    CASES,
    DECISIONS,
    REMOVALS,
    REVERSALS,
    STATEMENTS,
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
from shared.contracts.moderation import Action, DecidedBy
from shared.kit.core.unit_of_work import Unit
from shared.kit.database.database import connection
from shared.kit.rights.store import find_ancestors

_LOCK_CONTENT = sa.text("SELECT pg_advisory_xact_lock(7241010, hashtext(:content))")
"""Serialises the decisions on one content: see `ports.Decisions.lock_restriction`."""
_SELECT_DECISIONS = sa.text("""
    SELECT d.action, d.decided_by, r.decision_id IS NOT NULL AS reversed
    FROM decisions d
    LEFT JOIN reversals r ON r.tenant_id = d.tenant_id AND r.decision_id = d.decision_id
    WHERE d.tenant_id = :tenant AND d.content_id = :content
    ORDER BY d.decided_at, d.decision_id
""")
_UPDATED_COLUMNS = (
    "because",
    "severity",
    "due_at",
    "flags",
    "state",
    "claimed_by",
    "claimed_until",
)


class SqlCases:
    """See `ports.RuleExamples`."""

    async def save(self, unit: Unit, case: Case) -> None:
        """See `ports.Cases`."""
        values = asdict(case) | {
            "subject": msgspec.to_builtins(asdict(case.subject)),
            "content_id": case.subject.content_id,
            "structure_id": case.subject.structure_id,
        }
        row = insert(CASES).values(**values)
        change = {name: values[name] for name in _UPDATED_COLUMNS}
        keys = ["tenant_id", "case_id"]
        await connection(unit).execute(row.on_conflict_do_update(index_elements=keys, set_=change))

    async def find_and_lock(self, unit: Unit, tenant: TenantId, case_id: CaseId) -> Case | None:
        """See `ports.Cases`."""
        condition = (CASES.c.tenant_id == tenant) & (CASES.c.case_id == case_id)
        return await _find_and_lock(unit, condition)

    async def find_open_and_lock(
        self, unit: Unit, tenant: TenantId, content: ContentId
    ) -> Case | None:
        """See `ports.Cases`."""
        condition = (
            (CASES.c.tenant_id == tenant)
            & (CASES.c.content_id == content)
            & (CASES.c.state == "open")
        )
        return await _find_and_lock(unit, condition)

    async def list_open(
        self, unit: Unit, tenant: TenantId, after: CaseQueueKey | None, limit: int
    ) -> Sequence[Case]:
        """See `ports.Cases`."""
        condition = (CASES.c.tenant_id == tenant) & (CASES.c.state == "open")
        if after is not None:
            condition &= sa.tuple_(CASES.c.due_at, CASES.c.case_id) > after
        order = (CASES.c.due_at, CASES.c.case_id)
        query = sa.select(CASES).where(condition).order_by(*order).limit(limit)
        return [_to_case(row) for row in (await connection(unit).execute(query)).mappings()]

    async def ancestry(
        self, unit: Unit, tenant: TenantId, structure: StructureId
    ) -> tuple[StructureId, ...]:
        """See `ports.Cases`."""
        return (*await find_ancestors(unit, tenant, structure), structure)


class SqlCaseHistories:
    """See `ports.Records`."""

    async def add_flag(self, unit: Unit, case: Case, flag: CaseFlag) -> bool:
        """See `ports.CaseHistories`; the lock on the case's row prevents a double count."""
        condition = _of_case(CASE_FLAGS, case) & (CASE_FLAGS.c.member_id == flag.member_id)
        has_flagged = await connection(unit).scalar(sa.select(sa.exists().where(condition)))
        row = insert(CASE_FLAGS).values(
            tenant_id=case.tenant_id,
            case_id=case.case_id,
            member_id=flag.member_id,
            version=flag.version,
            reason=flag.reason,
            flagged_at=flag.at,
        )
        await connection(unit).execute(row.on_conflict_do_nothing())
        return not has_flagged

    async def add_entry(self, unit: Unit, case: Case, entry: CaseEntry) -> None:
        """See `ports.CaseHistories`."""
        values = asdict(entry) | {"tenant_id": case.tenant_id, "case_id": case.case_id}
        await connection(unit).execute(sa.insert(CASE_ENTRIES).values(**values))

    async def list_flags(self, unit: Unit, case: Case) -> Sequence[CaseFlag]:
        """See `ports.CaseHistories`."""
        query = (
            sa.select(CASE_FLAGS)
            .where(_of_case(CASE_FLAGS, case))
            .order_by(CASE_FLAGS.c.flagged_at, CASE_FLAGS.c.member_id)
        )
        rows = await connection(unit).execute(query)
        return [CaseFlag(row.member_id, row.version, row.reason, row.flagged_at) for row in rows]

    async def list_entries(self, unit: Unit, case: Case) -> Sequence[CaseEntry]:
        """See `ports.CaseHistories`."""
        query = (
            sa.select(CASE_ENTRIES)
            .where(_of_case(CASE_ENTRIES, case))
            .order_by(CASE_ENTRIES.c.at, CASE_ENTRIES.c.entry_id)
        )
        rows = await connection(unit).execute(query)
        return [CaseEntry(row.what, row.at, row.version, row.detail) for row in rows]


class SqlDecisions:
    """See `ports.Decisions`."""

    async def add(self, unit: Unit, tenant: TenantId, decision: Decision, subject: Subject) -> None:
        """See `ports.Decisions`."""
        values = asdict(decision) | {
            "tenant_id": tenant,
            "content_id": subject.content_id,
            "version": subject.version,
            "rules": msgspec.to_builtins(decision.rules),
            "decided_at": unit.now,
        }
        await connection(unit).execute(sa.insert(DECISIONS).values(**values))

    async def add_statement(self, unit: Unit, tenant: TenantId, statement: Statement) -> None:
        """See `ports.Decisions`."""
        subject = msgspec.to_builtins(asdict(statement.subject))
        values = asdict(statement) | {"tenant_id": tenant, "subject": subject}
        await connection(unit).execute(sa.insert(STATEMENTS).values(**values))

    async def lock_restriction(
        self, unit: Unit, tenant: TenantId, content: ContentId
    ) -> Restriction:
        """See `ports.Decisions`; the lock is an advisory lock on the content."""
        await connection(unit).execute(_LOCK_CONTENT, {"content": str(content)})
        rows = await connection(unit).execute(
            _SELECT_DECISIONS, {"tenant": tenant, "content": content}
        )
        return resulting_restriction(
            PastDecision(Action(row.action), DecidedBy(row.decided_by), row.reversed)
            for row in rows
        )

    async def add_reversal(
        self, unit: Unit, tenant: TenantId, decision_id: DecisionId, appeal_id: AppealId
    ) -> None:
        """See `ports.Decisions`."""
        values = {"tenant_id": tenant, "decision_id": decision_id, "appeal_id": appeal_id}
        row = sa.insert(REVERSALS).values(**values, reversed_at=unit.now)
        await connection(unit).execute(row)


class SqlStatements:
    """See `ports.Statements`."""

    async def find(
        self, unit: Unit, tenant: TenantId, statement_id: StatementId
    ) -> Statement | None:
        """See `ports.Statements`."""
        condition = (STATEMENTS.c.tenant_id == tenant) & (STATEMENTS.c.statement_id == statement_id)
        rows = await connection(unit).execute(sa.select(STATEMENTS).where(condition))
        row = rows.mappings().first()
        return _to_statement(row) if row else None

    async def list_for(
        self,
        unit: Unit,
        tenant: TenantId,
        recipient: MemberId,
        before: StatementId | None,
        limit: int,
    ) -> Sequence[Statement]:
        """See `ports.Statements`; ids are UUIDs in order of time."""
        condition = (STATEMENTS.c.tenant_id == tenant) & (STATEMENTS.c.recipient == recipient)
        if before is not None:
            condition &= STATEMENTS.c.statement_id < before
        order = STATEMENTS.c.statement_id.desc()
        query = sa.select(STATEMENTS).where(condition).order_by(order).limit(limit)
        return [_to_statement(row) for row in (await connection(unit).execute(query)).mappings()]

    async def find_moderator(
        self, unit: Unit, tenant: TenantId, statement: Statement
    ) -> MemberId | None:
        """See `ports.Statements`."""
        condition = (DECISIONS.c.tenant_id == tenant) & (
            DECISIONS.c.decision_id == statement.decision_id
        )
        query = sa.select(DECISIONS.c.moderator_id).where(condition)
        moderator: MemberId | None = await connection(unit).scalar(query)
        return moderator


class SqlRemovals:
    """See `ports.Removals`."""

    async def add(self, unit: Unit, tenant: TenantId, content: ContentId, at: datetime) -> None:
        """See `ports.Removals`."""
        row = insert(REMOVALS).values(tenant_id=tenant, content_id=content, removed_at=at)
        await connection(unit).execute(row.on_conflict_do_nothing())

    async def find_removal_time(
        self, unit: Unit, tenant: TenantId, content: ContentId
    ) -> datetime | None:
        """See `ports.Removals`."""
        condition = (REMOVALS.c.tenant_id == tenant) & (REMOVALS.c.content_id == content)
        removed_at: datetime | None = await connection(unit).scalar(
            sa.select(REMOVALS.c.removed_at).where(condition)
        )
        return removed_at


def _of_case(table: sa.Table, case: Case) -> sa.ColumnElement[bool]:
    return (table.c.tenant_id == case.tenant_id) & (table.c.case_id == case.case_id)


async def _find_and_lock(unit: Unit, condition: sa.ColumnElement[bool]) -> Case | None:
    rows = await connection(unit).execute(sa.select(CASES).where(condition).with_for_update())
    row = rows.mappings().first()
    return _to_case(row) if row else None


def _to_case(row: sa.RowMapping) -> Case:
    other_columns = ("content_id", "structure_id", "subject")
    values = {name: value for name, value in row.items() if name not in other_columns}
    return Case(**values, subject=msgspec.convert(row["subject"], Subject))


def _to_statement(row: sa.RowMapping) -> Statement:
    values = {name: value for name, value in row.items() if name != "tenant_id"}
    values["action"] = Action(row["action"])
    values["decided_by"] = DecidedBy(row["decided_by"])
    values["subject"] = msgspec.convert(row["subject"], Subject)
    return Statement(**values)
