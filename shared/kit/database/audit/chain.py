"""The audit log: each change by a person adds a row that holds the hash of their previous row.

One chain per member, so that two members of a tenant never wait for each other. The app role may
only add rows. `find_broken_row` finds the first changed row, and a missing row by its number.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.ids import MemberId, TenantId
from shared.kit.database.audit.statement import BROKEN_ROWS, HASH
from shared.kit.database.driver_statement import DriverStatement

_APPEND = DriverStatement(
    sa.text(f"""
    WITH last AS (
        SELECT number, hash FROM audit
        WHERE tenant_id = :tenant_id AND member_id = :member_id ORDER BY number DESC LIMIT 1
    ), added AS (
        SELECT CAST(:tenant_id AS uuid) AS tenant_id, CAST(:member_id AS uuid) AS member_id,
               COALESCE((SELECT number FROM last), 0) + 1 AS number,
               CAST(:at AS timestamptz) AS at, CAST(:action AS text) AS action,
               CAST(:subject AS uuid) AS subject, CAST(:details AS jsonb) AS details,
               COALESCE((SELECT hash FROM last), ''::bytea) AS previous_hash
    )
    INSERT INTO audit (tenant_id, member_id, number, at, action, subject, details,
                       previous_hash, hash)
    SELECT *, {HASH} FROM added
    ON CONFLICT (tenant_id, member_id, number) DO NOTHING
    RETURNING number
""")  # noqa: S608  constants
)
_SQL_TYPES = {
    "tenant_id": "uuid",
    "member_id": "uuid",
    "at": "timestamptz",
    "action": "text",
    "subject": "uuid",
    "details": "jsonb",
}
_BROKEN = sa.text(BROKEN_ROWS.replace("$1", ":tenant_id"))


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """An act of a member: usually a fact's wire type, its subject, and details to find it by."""

    tenant: TenantId
    member_id: MemberId
    action: str
    subject: UUID
    details: dict[str, str | int]


async def append(connection: AsyncConnection, entries: Sequence[AuditEntry], now: datetime) -> None:
    """Append these entries to their members' chains, in order.

    Two transactions of one member may compete for a number. The second waits until the first has
    ended, inserts nothing, and runs the statement again, which then sees the committed row.
    """
    for entry in entries:
        while not await _APPEND.fetch(connection, _row(entry, now)):
            pass


def insert_clause(source: str) -> str:
    """Return the last part of a larger statement: it adds an audit row for each of many members.

    `source` begins its FROM clause, and so makes it wait for that CTE; `insert_parameters` returns
    the parameters. The statement fails with a unique violation when another transaction takes the
    next number of a chain meanwhile.
    """
    arrays = ", ".join(
        f"(SELECT CAST(:a_{name} AS {sql_type}[]))" for name, sql_type in _SQL_TYPES.items()
    )
    return f"""
        INSERT INTO audit (tenant_id, member_id, number, at, action, subject, details,
                           previous_hash, hash)
        SELECT *, {HASH} FROM (
            SELECT c.tenant_id, c.member_id, COALESCE(last.number, 0) + 1 AS number, c.at,
                   c.action, c.subject, c.details,
                   COALESCE(last.hash, CAST('' AS bytea)) AS previous_hash
            FROM {source} unnest({arrays}) AS c ({", ".join(_SQL_TYPES)})
            LEFT JOIN LATERAL (
                SELECT number, hash FROM audit
                WHERE tenant_id = c.tenant_id AND member_id = c.member_id
                ORDER BY number DESC LIMIT 1
            ) AS last ON true
        ) AS added
    """  # noqa: S608  constants


def insert_parameters(entries: Sequence[tuple[AuditEntry, datetime]]) -> dict[str, object]:
    """Return the values of the parameters in `insert_clause`; at most one entry per member."""
    rows = [_row(entry, at) for entry, at in entries]
    return {f"a_{name}": [row[name] for row in rows] for name in _SQL_TYPES}


def _row(entry: AuditEntry, at: datetime) -> dict[str, object]:
    return {
        "tenant_id": entry.tenant,
        "member_id": entry.member_id,
        "at": at,
        "action": entry.action,
        "subject": entry.subject,
        "details": msgspec.json.encode(entry.details).decode(),
    }


async def find_broken_row(connection: AsyncConnection, tenant: TenantId) -> tuple[UUID, int] | None:
    """Return the first row (member, number) that breaks its chain; None when all are intact."""
    row = (await connection.execute(_BROKEN, {"tenant_id": tenant})).first()
    return (row.member_id, row.number) if row else None
