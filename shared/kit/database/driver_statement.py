"""Statements of hot paths, past SQLAlchemy: built by it once, run by the driver itself.

SQLAlchemy's way of one statement, with its result, its events and its switch of stacks, costs as
much as all the rest of a short transaction. The statement runs on the unit's own connection.
"""

from collections.abc import Mapping, Sequence

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.compiler import SQLCompiler

from shared.kit.telemetry.sql import measure_statement

# Untyped: SQLAlchemy's own constructor of dialects is.
_DIALECT = PGDialect_asyncpg()  # type: ignore[no-untyped-call]


class DriverStatement:
    """One statement, `:name` or `bindparam` for each value; `columns` are those of an INSERT."""

    def __init__(self, statement: sa.ClauseElement, columns: Sequence[str] | None = None) -> None:
        """Compile it. Raises TypeError for a value that the driver would not take as it is."""
        compiled = statement.compile(dialect=_DIALECT, column_keys=columns)
        if not isinstance(compiled, SQLCompiler) or compiled._bind_processors:  # noqa: SLF001
            raise TypeError("this statement needs SQLAlchemy when it runs")
        self.text = str(compiled)
        self._names = tuple(compiled.positiontup or ())

    async def fetch(
        self, connected: AsyncConnection, values: Mapping[str, object]
    ) -> list[asyncpg.Record]:
        """Run it and give its rows. Raises the driver's own errors, and KeyError for no value."""
        driver = asyncpg_connection(connected)
        given = [values[name] for name in self._names]
        with measure_statement(connected.engine.sync_engine, self.text):
            found: list[asyncpg.Record] = await driver.fetch(self.text, *given)
        return found


def asyncpg_connection(connected: AsyncConnection) -> asyncpg.Connection:
    """Return the driver's own connection. Raises TypeError when the driver is another."""
    # Not `get_raw_connection`, which switches stacks for what needs no I/O.
    inner = connected.sync_connection
    driver = inner.connection.driver_connection if inner is not None else None
    if not isinstance(driver, asyncpg.Connection):
        msg = f"{type(driver).__name__}: only asyncpg is spoken here"
        raise TypeError(msg)
    return driver
