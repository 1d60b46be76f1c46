"""The audit log: every change by a person leaves a row, chained by hash to that person's last.

A chain per member, so that two members of one tenant never wait for each other. The app role may
only add rows; `verify` finds the first row that was changed, and a missing one by its number.
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

_APPEND = sa.text(f"""
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
_ADDING = DriverStatement(_APPEND)
_TYPES = {
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
    """What someone did: the fact's type, what it is about, and what else helps to find it again."""

    tenant: TenantId
    member_id: MemberId
    action: str
    subject: UUID
    details: dict[str, str | int]


async def append(connection: AsyncConnection, changes: Sequence[AuditEntry], now: datetime) -> None:
    """Add these rows to their members' chains, in order.

    Two transactions of one member may want the same place. The second waits for the first to end,
    and takes the place after it: a statement sees what was committed before it began.
    """
    for change in changes:
        while not await _ADDING.fetch(connection, _row(change, now)):
            pass


def insert_clause(first: str) -> str:
    """Write the end of a larger statement that adds a row to the chain of each of many members.

    `first` is what its rows wait for; see `columns` for its values. Whose place was taken by
    another transaction meanwhile makes it fail as a whole, by a unique violation.
    """
    arrays = ", ".join(f"(SELECT CAST(:a_{name} AS {kind}[]))" for name, kind in _TYPES.items())
    return f"""
        INSERT INTO audit (tenant_id, member_id, number, at, action, subject, details,
                           previous_hash, hash)
        SELECT *, {HASH} FROM (
            SELECT c.tenant_id, c.member_id, COALESCE(last.number, 0) + 1 AS number, c.at,
                   c.action, c.subject, c.details,
                   COALESCE(last.hash, CAST('' AS bytea)) AS previous_hash
            FROM {first} unnest({arrays}) AS c ({", ".join(_TYPES)})
            LEFT JOIN LATERAL (
                SELECT number, hash FROM audit
                WHERE tenant_id = c.tenant_id AND member_id = c.member_id
                ORDER BY number DESC LIMIT 1
            ) AS last ON true
        ) AS added
    """  # noqa: S608  constants


def insert_parameters(changes: Sequence[tuple[AuditEntry, datetime]]) -> dict[str, object]:
    """Return the values of such an end; nobody may stand in it twice."""
    rows = [_row(change, at) for change, at in changes]
    return {f"a_{name}": [row[name] for row in rows] for name in _TYPES}


def _row(change: AuditEntry, at: datetime) -> dict[str, object]:
    return {
        "tenant_id": change.tenant,
        "member_id": change.member_id,
        "at": at,
        "action": change.action,
        "subject": change.subject,
        "details": msgspec.json.encode(change.details).decode(),
    }


async def find_broken_row(connection: AsyncConnection, tenant: TenantId) -> tuple[UUID, int] | None:
    """Find the first row (member, number) whose chain does not hold; None when all do."""
    found = (await connection.execute(_BROKEN, {"tenant_id": tenant})).first()
    return (found.member_id, found.number) if found else None
