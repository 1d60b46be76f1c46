"""A question to the database outside of any transaction: one round trip, where a unit takes three.

For what every request asks. Such a statement names the tenants that it sees by itself.
"""

import time
from collections.abc import Mapping, Sequence

import asyncpg
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared.kit.database import Database, is_transient
from shared.kit.errors import Transient
from shared.kit.plain import Plain
from shared.kit.pressure import SOON, back_in


async def asked(
    database: Database, statement: Plain, values: Mapping[str, object]
) -> Sequence[asyncpg.Record]:
    """Run one statement that only reads, and give its rows.

    Raises `Transient` for whatever may work if tried again, `Overloaded` without a connection.
    """
    began = time.perf_counter()
    try:
        async with database.engine.connect() as connected:
            database.pressure.waited(time.perf_counter() - began)
            return await statement.fetch(connected, values)
    except PoolTimeout as error:
        raise database.pressure.gave_up() from error
    except Exception as error:
        if is_transient(error):
            raise Transient(because=type(error).__name__, retry_after=back_in(SOON)) from error
        raise
