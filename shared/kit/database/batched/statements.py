"""Statements for many at once: a question that each of them has, the rows that they add.

Each statement names by itself the tenants that it sees, so that one round trip is all it takes.
Outside of a transaction such a setting lives as long as the statement.
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
_SEEN = "seen AS MATERIALIZED (SELECT set_config('app.tenants', :tenants, true))"
QueryArgs = Mapping[str, object]
"""What one asks: `tenant_id`, and a value for each of the question's arguments."""


class BatchQuery:
    """What many ask at once: `sql` is one's, and names what they ask with as `asked.<argument>`.

    It selects a `tenant_id` among its columns: rows of another tenant than the asker's are not
    given, since together they see the tenants of all. Arguments are PostgreSQL's types by name.

    Trap: the tables' policy reads the setting, so it must be there first. What is LATERAL and has
    an OFFSET is planned by itself, and what it takes from `asked` must be known before it begins.
    """

    def __init__(self, sql: str, **arguments: str) -> None:
        types = {"tenant_id": "uuid", **arguments}
        arrays = ", ".join(f"(SELECT CAST(:{name} AS {kind}[]))" for name, kind in types.items())
        asked = f"unnest({arrays}) WITH ORDINALITY AS a ({', '.join(types)}, nth)"
        answers = f"""
            SELECT asked.nth, found.* FROM asked CROSS JOIN LATERAL ({sql} OFFSET 0) AS found
            WHERE found.tenant_id = asked.tenant_id
        """  # noqa: S608  of constants
        self._names, self.sql = tuple(types), sql
        self.standalone = DriverStatement(
            sa.text(f"""
                WITH {_SEEN}, asked AS MATERIALIZED (SELECT a.* FROM seen CROSS JOIN {asked})
                {answers}
            """)  # noqa: S608
        )
        self.in_transaction = DriverStatement(
            sa.text(f"WITH asked AS MATERIALIZED (SELECT * FROM {asked}) {answers}")  # noqa: S608
        )

    async def fetch(
        self, connected: AsyncConnection, requests: Sequence[QueryArgs], *, in_transaction: bool
    ) -> list[list[asyncpg.Record]]:
        """Return each asker's rows; `opened` in a transaction, which has its tenants."""
        values: dict[str, object] = {n: [each[n] for each in requests] for n in self._names}
        if not in_transaction:
            values["tenants"] = tenants_setting({TenantId(each["tenant_id"]) for each in requests})  # type: ignore[arg-type]
        answers: list[list[asyncpg.Record]] = [[] for _ in requests]
        for row in await (self.in_transaction if in_transaction else self.standalone).fetch(
            connected, values
        ):
            answers[row["nth"] - 1].append(row)
        return answers


class BatchInsert:
    """Rows that are added to a business table, but for those whose key is there.

    `strict` ones all of them: a key that is there makes the statement fail.
    """

    def __init__(self, table: sa.Table, *, fail_on_conflict: bool = False) -> None:
        """Describe it. Raises TypeError for a column whose values could not stand in an array."""
        self.column_names = tuple(column.name for column in table.columns)
        kinds = [column.type for column in table.columns]
        if any(isinstance(kind, sa.ARRAY | sa.JSON) for kind in kinds):
            raise TypeError(f"{table.name}: arrays of these there are not")
        self._table, self._end = table.name, "" if fail_on_conflict else "ON CONFLICT DO NOTHING"
        self._kinds = tuple(kind.compile(dialect=_DIALECT) for kind in kinds)
        self.in_transaction = DriverStatement(sa.text(self.as_cte("r", "")))

    def as_cte(self, prefix: str, first: str) -> str:
        """Write it as a part of a larger statement; `first` is what its rows wait for."""
        names = ", ".join(self.column_names)
        arrays = ", ".join(
            f"(SELECT CAST(:{prefix}_{name} AS {kind}[]))"
            for name, kind in zip(self.column_names, self._kinds, strict=True)
        )
        return f"""
            INSERT INTO {self._table} ({names})
            SELECT r.* FROM {first} unnest({arrays}) AS r ({names}) {self._end}
        """  # noqa: S608  names of tables and columns

    def parameters(self, prefix: str, rows: Sequence[Mapping[str, object]]) -> dict[str, object]:
        """Return the values of such a part."""
        return {f"{prefix}_{name}": [row[name] for row in rows] for name in self.column_names}

    async def insert(
        self, connected: AsyncConnection, rows: Sequence[Mapping[str, object]]
    ) -> None:
        """Add them in a transaction that has its tenants."""
        await self.in_transaction.fetch(connected, self.parameters("r", rows))


RowsByInsert = Mapping[BatchInsert, Sequence[Mapping[str, object]]]


async def write_batch(
    connected: AsyncConnection,
    tenants: set[TenantId],
    rows: RowsByInsert,
    entries: Sequence[outbox.EncodedEvent],
    changes: Sequence[tuple[chain.AuditEntry, datetime]],
) -> None:
    """Write all of it, or nothing, in one statement outside of any transaction.

    At most one audited change of a member: two of them would take the same place.
    """
    statement = _writing(tuple(rows), bool(changes))
    values: dict[str, object] = {
        "tenants": tenants_setting(tenants),
        **outbox.insert_parameters(entries),
    }
    for number, (insertion, added) in enumerate(rows.items()):
        values |= insertion.parameters(f"w{number}", added)
    if changes:
        values |= chain.insert_parameters(changes)
    await statement.fetch(connected, values)


@lru_cache(maxsize=256)
def _writing(insertions: tuple[BatchInsert, ...], audited: bool) -> DriverStatement:
    parts = [_SEEN]
    for number, insertion in enumerate(insertions):
        parts.append(f"w{number} AS ({insertion.as_cte(f'w{number}', 'seen CROSS JOIN')})")
    parts += [outbox.INSERT_CTES, f"sent AS ({outbox.INSERT_EVENTS} RETURNING 1)"]
    # What is audited comes last, as in a transaction: heads are locked before chains.
    first = "seen CROSS JOIN (SELECT count(*) FROM sent) AS all_sent CROSS JOIN"
    end = chain.insert_clause(first) if audited else "SELECT count(*) FROM sent"
    return DriverStatement(sa.text(f"WITH {', '.join(parts)} {end}"))


def tenants_setting(tenants: set[TenantId]) -> str:
    """Write the setting that the tables' policy reads."""
    return ",".join(str(tenant) for tenant in tenants)
