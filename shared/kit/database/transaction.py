"""A transaction and the tenants that it may see, begun in one round trip instead of two.

The connection must be in SQLAlchemy's AUTOCOMMIT mode: BEGIN, COMMIT and ROLLBACK are sent directly
by asyncpg.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.kit.database.driver_statement import asyncpg_connection
from shared.kit.telemetry.logs import get_logger

log = get_logger("database")


def begin_with_tenants(tenants: Iterable[UUID]) -> str:
    """Return the SQL that begins a transaction for these tenants; a UUID needs no quoting."""
    listed = ",".join(str(UUID(int=tenant.int)) for tenant in tenants)
    return f"BEGIN; SET LOCAL app.tenants = '{listed}'"


@asynccontextmanager
async def transaction(
    connection: AsyncConnection, tenants: Iterable[UUID]
) -> AsyncIterator[AsyncConnection]:
    """Begin a transaction for these tenants; commit when left without an error, else roll back."""
    driver = asyncpg_connection(connection)
    try:
        await driver.execute(begin_with_tenants(tenants))
        yield connection
        await driver.execute("COMMIT")
    except BaseException:
        await _roll_back(driver)
        raise


async def _roll_back(driver: asyncpg.Connection) -> None:
    """Roll back, or close the connection when that fails.

    Trap: the pool would hand out a connection with an open transaction, and with its tenants.
    """
    try:
        await driver.execute("ROLLBACK")
    except Exception as error:  # noqa: BLE001  the error that caused the rollback is raised instead
        log.info("not rolled back, closed", error=repr(error))
        driver.terminate()
    except BaseException:
        driver.terminate()
        raise
