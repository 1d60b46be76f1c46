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
from shared.kit.database.statement import Plain

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's own
_SEEN = "seen AS MATERIALIZED (SELECT set_config('app.tenants', :tenants, true))"
Asked = Mapping[str, object]
"""What one asks: `tenant_id`, and a value for each of the question's arguments."""


class Question:
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
        self.alone = Plain(
            sa.text(f"""
                WITH {_SEEN}, asked AS MATERIALIZED (SELECT a.* FROM seen CROSS JOIN {asked})
                {answers}
            """)  # noqa: S608
        )
        self.within = Plain(
            sa.text(f"WITH asked AS MATERIALIZED (SELECT * FROM {asked}) {answers}")  # noqa: S608
        )

    async def ask(
        self, connected: AsyncConnection, askers: Sequence[Asked], *, opened: bool
    ) -> list[list[asyncpg.Record]]:
        """Give each asker's rows; `opened` in a transaction, which has its tenants."""
        values: dict[str, object] = {n: [each[n] for each in askers] for n in self._names}
        if not opened:
            values["tenants"] = listed({TenantId(each["tenant_id"]) for each in askers})  # type: ignore[arg-type]
        answers: list[list[asyncpg.Record]] = [[] for _ in askers]
        for row in await (self.within if opened else self.alone).fetch(connected, values):
            answers[row["nth"] - 1].append(row)
        return answers


class Insertion:
    """Rows that are added to a business table, but for those whose key is there.

    `strict` ones all of them: a key that is there makes the statement fail.
    """

    def __init__(self, table: sa.Table, *, strict: bool = False) -> None:
        """Describe it. Raises TypeError for a column whose values could not stand in an array."""
        self.names = tuple(column.name for column in table.columns)
        kinds = [column.type for column in table.columns]
        if any(isinstance(kind, sa.ARRAY | sa.JSON) for kind in kinds):
            raise TypeError(f"{table.name}: arrays of these there are not")
        self._table, self._end = table.name, "" if strict else "ON CONFLICT DO NOTHING"
        self._kinds = tuple(kind.compile(dialect=_DIALECT) for kind in kinds)
        self.within = Plain(sa.text(self.part("r", "")))

    def part(self, prefix: str, first: str) -> str:
        """Write it as a part of a larger statement; `first` is what its rows wait for."""
        names = ", ".join(self.names)
        arrays = ", ".join(
            f"(SELECT CAST(:{prefix}_{name} AS {kind}[]))"
            for name, kind in zip(self.names, self._kinds, strict=True)
        )
        return f"""
            INSERT INTO {self._table} ({names})
            SELECT r.* FROM {first} unnest({arrays}) AS r ({names}) {self._end}
        """  # noqa: S608  names of tables and columns

    def values(self, prefix: str, rows: Sequence[Mapping[str, object]]) -> dict[str, object]:
        """Give the values of such a part."""
        return {f"{prefix}_{name}": [row[name] for row in rows] for name in self.names}

    async def add(self, connected: AsyncConnection, rows: Sequence[Mapping[str, object]]) -> None:
        """Add them in a transaction that has its tenants."""
        await self.within.fetch(connected, self.values("r", rows))


Rows = Mapping[Insertion, Sequence[Mapping[str, object]]]


async def write(
    connected: AsyncConnection,
    tenants: set[TenantId],
    rows: Rows,
    entries: Sequence[outbox.Ready],
    changes: Sequence[tuple[chain.Change, datetime]],
) -> None:
    """Write all of it, or nothing, in one statement outside of any transaction.

    At most one audited change of a member: two of them would take the same place.
    """
    statement = _writing(tuple(rows), bool(changes))
    values: dict[str, object] = {"tenants": listed(tenants), **outbox.columns(entries)}
    for number, (insertion, added) in enumerate(rows.items()):
        values |= insertion.values(f"w{number}", added)
    if changes:
        values |= chain.columns(changes)
    await statement.fetch(connected, values)


@lru_cache(maxsize=256)
def _writing(insertions: tuple[Insertion, ...], audited: bool) -> Plain:
    parts = [_SEEN]
    for number, insertion in enumerate(insertions):
        parts.append(f"w{number} AS ({insertion.part(f'w{number}', 'seen CROSS JOIN')})")
    parts += [outbox.PARTS, f"sent AS ({outbox.INSERT} RETURNING 1)"]
    # What is audited comes last, as in a transaction: heads are locked before chains.
    first = "seen CROSS JOIN (SELECT count(*) FROM sent) AS all_sent CROSS JOIN"
    end = chain.inserting(first) if audited else "SELECT count(*) FROM sent"
    return Plain(sa.text(f"WITH {', '.join(parts)} {end}"))


def listed(tenants: set[TenantId]) -> str:
    """Write the setting that the tables' policy reads."""
    return ",".join(str(tenant) for tenant in tenants)
