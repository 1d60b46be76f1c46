"""SQL for many requests at once: `BatchQuery` reads, `BatchInsert` adds, `write_batch` commits.

A standalone statement sets the tenants that row-level security lets it see, so it needs a single
round trip. Outside of a transaction such a setting lasts as long as its statement.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.ids import TenantId
from shared.kit.database import outbox
from shared.kit.database.audit import chain
from shared.kit.database.driver_statement import DriverStatement

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's own
_SET_TENANTS = "seen AS MATERIALIZED (SELECT set_config('app.tenants', :tenants, true))"
QueryArgs = Mapping[str, object]
"""The parameters of one request: `tenant_id`, and a value for each argument of its query."""


class BatchQuery:
    """A query that is run once for many parameter sets.

    Write `sql` for one set; its parameters are columns of `asked`. `arguments` maps their names to
    PostgreSQL types. The query must select `tenant_id`: rows of another tenant than the request's
    are dropped, since the statement sees the tenants of all requests.

    Trap: the tables' row policy reads the setting, so the setting must be evaluated first. A
    LATERAL subquery with an OFFSET is planned separately, and its input from `asked`, which depends
    on the setting, is evaluated before it starts.
    """

    def __init__(self, sql: str, **arguments: str) -> None:
        types = {"tenant_id": "uuid", **arguments}
        arrays = ", ".join(
            f"(SELECT CAST(:{name} AS {sql_type}[]))" for name, sql_type in types.items()
        )
        requests = f"unnest({arrays}) WITH ORDINALITY AS a ({', '.join(types)}, nth)"
        select_rows = f"""
            SELECT asked.nth, found.* FROM asked CROSS JOIN LATERAL ({sql} OFFSET 0) AS found
            WHERE found.tenant_id = asked.tenant_id
        """  # noqa: S608  of constants
        self._names, self.sql = tuple(types), sql
        self.standalone = DriverStatement(
            sa.text(f"""
                WITH {_SET_TENANTS},
                     asked AS MATERIALIZED (SELECT a.* FROM seen CROSS JOIN {requests})
                {select_rows}
            """)  # noqa: S608
        )
        self.in_transaction = DriverStatement(
            sa.text(f"WITH asked AS MATERIALIZED (SELECT * FROM {requests}) {select_rows}")  # noqa: S608
        )

    async def fetch(
        self, connection: AsyncConnection, requests: Sequence[QueryArgs], *, in_transaction: bool
    ) -> list[list[asyncpg.Record]]:
        """Return the rows of each request, in the order of the requests.

        `in_transaction`: the connection is in a transaction whose tenants are set already.
        """
        values: dict[str, object] = {
            name: [request[name] for request in requests] for name in self._names
        }
        if not in_transaction:
            tenants = {TenantId(request["tenant_id"]) for request in requests}  # type: ignore[arg-type]
            values["tenants"] = tenants_setting(tenants)
        statement = self.in_transaction if in_transaction else self.standalone
        rows_by_request: list[list[asyncpg.Record]] = [[] for _ in requests]
        for row in await statement.fetch(connection, values):
            rows_by_request[row["nth"] - 1].append(row)
        return rows_by_request


class BatchInsert:
    """An INSERT of rows into a business table; a row whose key exists is left out.

    With `fail_on_conflict` a key that exists makes the whole statement fail instead.
    """

    def __init__(self, table: sa.Table, *, fail_on_conflict: bool = False) -> None:
        """Raises TypeError for a column whose values cannot be elements of an array."""
        self.column_names = tuple(column.name for column in table.columns)
        column_types = [column.type for column in table.columns]
        if any(isinstance(column_type, sa.ARRAY | sa.JSON) for column_type in column_types):
            raise TypeError(f"{table.name}: PostgreSQL has no arrays of such a column")
        self._table = table.name
        self._conflict_clause = "" if fail_on_conflict else "ON CONFLICT DO NOTHING"
        self._sql_types = tuple(
            column_type.compile(dialect=_DIALECT) for column_type in column_types
        )
        self.in_transaction = DriverStatement(sa.text(self.as_cte("r", "")))

    def as_cte(self, prefix: str, source: str) -> str:
        """Return the INSERT as the body of a CTE.

        `prefix` begins the names of its parameters. `source` begins its FROM clause, and so makes
        the INSERT wait for that CTE.
        """
        names = ", ".join(self.column_names)
        arrays = ", ".join(
            f"(SELECT CAST(:{prefix}_{name} AS {sql_type}[]))"
            for name, sql_type in zip(self.column_names, self._sql_types, strict=True)
        )
        return f"""
            INSERT INTO {self._table} ({names})
            SELECT r.* FROM {source} unnest({arrays}) AS r ({names}) {self._conflict_clause}
        """  # noqa: S608  names of tables and columns

    def parameters(self, prefix: str, rows: Sequence[Mapping[str, object]]) -> dict[str, object]:
        """Return the values of the parameters in `as_cte`."""
        return {f"{prefix}_{name}": [row[name] for row in rows] for name in self.column_names}

    async def insert(
        self, connection: AsyncConnection, rows: Sequence[Mapping[str, object]]
    ) -> None:
        """Insert these rows in a transaction whose tenants are set."""
        await self.in_transaction.fetch(connection, self.parameters("r", rows))


RowsByInsert = Mapping[BatchInsert, Sequence[Mapping[str, object]]]


async def write_batch(
    connection: AsyncConnection,
    tenants: set[TenantId],
    rows: RowsByInsert,
    events: Sequence[outbox.EncodedEvent],
    audit_entries: Sequence[tuple[chain.AuditEntry, datetime]],
) -> None:
    """Write rows, events and audit entries in one statement, and so atomically.

    At most one audit entry per member: two would compete for the next number of the same chain.
    """
    statement = _batch_statement(tuple(rows), bool(audit_entries))
    values: dict[str, object] = {
        "tenants": tenants_setting(tenants),
        **outbox.insert_parameters(events),
    }
    for number, (batch_insert, added_rows) in enumerate(rows.items()):
        values |= batch_insert.parameters(f"w{number}", added_rows)
    if audit_entries:
        values |= chain.insert_parameters(audit_entries)
    await statement.fetch(connection, values)


@lru_cache(maxsize=256)
def _batch_statement(batch_inserts: tuple[BatchInsert, ...], has_audit: bool) -> DriverStatement:
    ctes = [_SET_TENANTS]
    for number, batch_insert in enumerate(batch_inserts):
        ctes.append(f"w{number} AS ({batch_insert.as_cte(f'w{number}', 'seen CROSS JOIN')})")
    ctes += [outbox.INSERT_CTES, f"sent AS ({outbox.INSERT_EVENTS} RETURNING 1)"]
    # Audit rows last, as in a transaction: every writer locks heads before chains.
    source = "seen CROSS JOIN (SELECT count(*) FROM sent) AS all_sent CROSS JOIN"
    last_part = chain.insert_clause(source) if has_audit else "SELECT count(*) FROM sent"
    return DriverStatement(sa.text(f"WITH {', '.join(ctes)} {last_part}"))


def tenants_setting(tenants: set[TenantId]) -> str:
    """Return the value of the setting that the tables' row policy reads."""
    return ",".join(str(tenant) for tenant in tenants)
