"""Compare live and shadow tables, row by row.

Each pair of tables is compared as two multisets in one SQL statement. A replay from a later time
on (`whole=False`) contains only what was added since to counters and lists, so the live side must
have at least that.
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
_SET_TENANTS = sa.text("SELECT set_config('app.tenants', :tenants, true)")
_COMPARE_ROWS = """
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
_COMPARE_SUMS = """
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
    """A row that differs; None on a side that does not have it."""

    key: Row
    live: Row | None
    shadow: Row | None


@dataclass(frozen=True)
class TableComparison:
    """Result for one table: row counts, the number of differing rows, and the first of them."""

    table: str
    truth: str
    rows: int
    live_rows: int
    differences: int
    shown: Sequence[Difference]


async def set_visible_tenants(connection: AsyncConnection, tenants: Iterable[UUID]) -> None:
    """Make the rows of these tenants visible to the transaction (row-level security)."""
    await connection.execute(_SET_TENANTS, {"tenants": ",".join(map(str, sorted(tenants)))})


async def compare(
    connection: AsyncConnection,
    schema: str,
    tables: Iterable[RebuiltTable],
    *,
    whole: bool,
) -> list[TableComparison]:
    """Compare the tables in the connection's transaction, for the tenants that it can see."""
    await connection.execute(sa.text(f"SET LOCAL work_mem = '{WORK_MEM}'"))
    return [await _compare_table(connection, schema, table, whole=whole) for table in tables]


async def _compare_table(
    connection: AsyncConnection, schema: str, rebuilt: RebuiltTable, *, whole: bool
) -> TableComparison:
    live, shadow = (
        _table_expression(rebuilt, side_schema) for side_schema in (LIVE_SCHEMA, schema)
    )
    rows = await connection.scalar(sa.text(f"SELECT count(*) FROM {shadow}"))  # noqa: S608  names of our tables
    live_rows = await connection.scalar(sa.text(f"SELECT count(*) FROM {live}"))  # noqa: S608
    query = sa.text(_comparison_query(rebuilt, live, shadow, whole=whole))
    rows_found = (await connection.execute(query, {"shown": MAX_SHOWN_ROWS})).all()
    shown = [
        _make_difference(rebuilt, msgspec.convert(row[0], list[dict[str, Any]]))
        for row in rows_found
    ]
    total = rows_found[0].total if rows_found else 0
    truth = rebuilt.role.value if rebuilt.role else ""
    return TableComparison(rebuilt.name, truth, rows or 0, live_rows or 0, total, shown)


def _table_expression(rebuilt: RebuiltTable, schema: str) -> str:
    """Return the rows to compare, without expired ones: either side may have removed them."""
    if rebuilt.expires:
        return f"(SELECT * FROM {schema}.{rebuilt.name} WHERE expires_at > now()) AS unexpired"  # noqa: S608  names of our tables
    return f"{schema}.{rebuilt.name}"


def _comparison_query(rebuilt: RebuiltTable, live: str, shadow: str, *, whole: bool) -> str:
    names = {"live": live, "shadow": shadow, "key": _quote_names(rebuilt.key)}
    if not whole and rebuilt.sum_column is not None:
        return _COMPARE_SUMS.format(**names, sum=rebuilt.sum_column)
    allows_more = not whole and rebuilt.is_append_only
    differs = "sum(_live) < sum(_shadow)" if allows_more else "sum(_live) <> sum(_shadow)"
    return _COMPARE_ROWS.format(**names, columns=_quote_names(rebuilt.columns), differs=differs)


def _quote_names(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _make_difference(rebuilt: RebuiltTable, rows: Sequence[dict[str, Any]]) -> Difference:
    """Combine the differing rows of one key."""
    key = {name: rows[0][name] for name in rebuilt.key}
    if rebuilt.is_append_only:
        return Difference(key, {"times": rows[0]["_live"]}, {"times": rows[0]["_shadow"]})
    value_columns = [name for name in rebuilt.columns if name not in key]
    sides: dict[str, Row] = {
        side: {name: row[name] for name in value_columns}
        for row in rows
        for side in ("_live", "_shadow")
        if row[side]
    }
    return Difference(key, sides.get("_live"), sides.get("_shadow"))
