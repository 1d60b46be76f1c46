"""Row by row: what is live against what the log says.

Each table is one multiset on either side, in one statement; rows that both have as often fall out.
From a moment on (`whole=False`), what every fact adds to holds only what was added since: the live
side must have at least that.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.kit.tools.replay.plan import LIVE_SCHEMA, RebuiltTable

MAX_SHOWN_ROWS = 20
WORK_MEM = "256MB"
_SEE = sa.text("SELECT set_config('app.tenants', :tenants, true)")
_ROWS = """
    WITH both_sides AS (
        SELECT {columns}, 1 AS _live, 0 AS _shadow FROM {live}
        UNION ALL
        SELECT {columns}, 0, 1 FROM {shadow}
    ),
    uneven AS (
        SELECT {columns}, sum(_live) AS _live, sum(_shadow) AS _shadow FROM both_sides
        GROUP BY {columns} HAVING {differs}
    ),
    by_key AS (
        SELECT {key}, jsonb_agg(to_jsonb(uneven)) AS _rows FROM uneven GROUP BY {key}
    )
    SELECT _rows, count(*) OVER () AS total FROM by_key ORDER BY {key} LIMIT :shown
"""
_SUMS = """
    WITH both_sides AS (
        SELECT {key}, {sum}, 0 AS _shadow FROM {live}
        UNION ALL
        SELECT {key}, 0, {sum} FROM {shadow}
    ),
    uneven AS (
        SELECT {key}, sum({sum}) AS {sum}, sum(_shadow) AS _shadow FROM both_sides
        GROUP BY {key} HAVING sum({sum}) < sum(_shadow)
    )
    SELECT jsonb_build_array(
               to_jsonb(uneven) || jsonb_build_object('_live', 1, '_shadow', 0),
               to_jsonb(uneven) || jsonb_build_object('{sum}', _shadow, '_live', 0, '_shadow', 1)
           ) AS _rows, count(*) OVER () AS total
    FROM uneven ORDER BY {key} LIMIT :shown
"""
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Difference:
    """One row that is not the same; None where a side has none."""

    key: Row
    live: Row | None
    shadow: Row | None


@dataclass(frozen=True)
class TableComparison:
    """One table: how many rows the log makes, how many differ, and the first of these."""

    table: str
    truth: str
    rows: int
    live_rows: int
    differences: int
    shown: Sequence[Difference]


async def set_visible_tenants(connection: AsyncConnection, tenants: Iterable[UUID]) -> None:
    """Let this transaction see the rows of these tenants."""
    await connection.execute(_SEE, {"tenants": ",".join(map(str, sorted(tenants)))})


async def compare(
    connection: AsyncConnection,
    schema: str,
    tables: Iterable[RebuiltTable],
    *,
    whole: bool,
) -> list[TableComparison]:
    """Compare every table, in the connection's own transaction, over the tenants that it sees."""
    await connection.execute(sa.text(f"SET LOCAL work_mem = '{WORK_MEM}'"))
    return [await _table(connection, schema, each, whole=whole) for each in tables]


async def _table(
    connection: AsyncConnection, schema: str, rebuilt: RebuiltTable, *, whole: bool
) -> TableComparison:
    live, shadow = (_compared(rebuilt, each) for each in (LIVE_SCHEMA, schema))
    rows = await connection.scalar(sa.text(f"SELECT count(*) FROM {shadow}"))  # noqa: S608  our names
    live_rows = await connection.scalar(sa.text(f"SELECT count(*) FROM {live}"))  # noqa: S608
    query = sa.text(_query(rebuilt, live, shadow, whole=whole))
    found = (await connection.execute(query, {"shown": MAX_SHOWN_ROWS})).all()
    shown = [_difference(rebuilt, msgspec.convert(row[0], list[dict[str, Any]])) for row in found]
    total = found[0].total if found else 0
    truth = rebuilt.role.value if rebuilt.role else ""
    return TableComparison(rebuilt.name, truth, rows or 0, live_rows or 0, total, shown)


def _compared(rebuilt: RebuiltTable, schema: str) -> str:
    """Name the rows of a table that are compared: one side may have removed expired ones."""
    if rebuilt.expires:
        return f"(SELECT * FROM {schema}.{rebuilt.name} WHERE expires_at > now()) AS unexpired"  # noqa: S608  our names
    return f"{schema}.{rebuilt.name}"


def _query(rebuilt: RebuiltTable, live: str, shadow: str, *, whole: bool) -> str:
    names = {"live": live, "shadow": shadow, "key": _quoted(rebuilt.key)}
    if not whole and rebuilt.sum_column is not None:
        return _SUMS.format(**names, sum=rebuilt.sum_column)
    less = not whole and rebuilt.is_append_only
    differs = "sum(_live) < sum(_shadow)" if less else "sum(_live) <> sum(_shadow)"
    return _ROWS.format(**names, columns=_quoted(rebuilt.columns), differs=differs)


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _difference(rebuilt: RebuiltTable, rows: Sequence[dict[str, Any]]) -> Difference:
    """Pair what stands under one key."""
    key = {name: rows[0][name] for name in rebuilt.key}
    if rebuilt.is_append_only:
        return Difference(key, {"times": rows[0]["_live"]}, {"times": rows[0]["_shadow"]})
    rest = [name for name in rebuilt.columns if name not in key]
    sides: dict[str, Row] = {
        side: {name: row[name] for name in rest}
        for row in rows
        for side in ("_live", "_shadow")
        if row[side]
    }
    return Difference(key, sides.get("_live"), sides.get("_shadow"))
