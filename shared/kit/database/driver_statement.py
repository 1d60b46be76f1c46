"""Statements of hot paths: compiled once by SQLAlchemy, run directly by asyncpg.

Running one statement through SQLAlchemy (result, events, greenlet switch) costs as much as the rest
of a short transaction. These statements run on the unit's own connection.
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
    """One compiled statement; its parameters are written `:name` or as `bindparam`."""

    def __init__(self, statement: sa.ClauseElement, columns: Sequence[str] | None = None) -> None:
        """Compile the statement; `columns` are those of an INSERT.

        Raises TypeError for a parameter type whose values only SQLAlchemy can convert.
        """
        compiled = statement.compile(dialect=_DIALECT, column_keys=columns)
        if not isinstance(compiled, SQLCompiler) or compiled._bind_processors:  # noqa: SLF001
            raise TypeError("this statement needs SQLAlchemy when it runs")
        self.text = str(compiled)
        self._names = tuple(compiled.positiontup or ())

    async def fetch(
        self, connection: AsyncConnection, values: Mapping[str, object]
    ) -> list[asyncpg.Record]:
        """Run the statement and return its rows.

        Raises asyncpg's errors, and KeyError when `values` lacks a parameter.
        """
        driver = asyncpg_connection(connection)
        arguments = [values[name] for name in self._names]
        with measure_statement(connection.engine.sync_engine, self.text):
            rows: list[asyncpg.Record] = await driver.fetch(self.text, *arguments)
        return rows


def asyncpg_connection(connection: AsyncConnection) -> asyncpg.Connection:
    """Return the asyncpg connection below. Raises TypeError for another driver."""
    # Not `get_raw_connection`: it switches greenlets although it does no I/O.
    sync_connection = connection.sync_connection
    driver = sync_connection.connection.driver_connection if sync_connection is not None else None
    if not isinstance(driver, asyncpg.Connection):
        message = f"the driver must be asyncpg, not {type(driver).__name__}"
        raise TypeError(message)
    return driver
