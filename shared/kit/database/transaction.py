"""A transaction and the tenants that it may see, begun in one round trip instead of two.

The connection must be in SQLAlchemy's AUTOCOMMIT: what begins and ends the transaction goes past
it, straight to the driver.
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
    """Return the statements that open a transaction for these tenants; a UUID needs no quoting."""
    listed = ",".join(str(UUID(int=tenant.int)) for tenant in tenants)
    return f"BEGIN; SET LOCAL app.tenants = '{listed}'"


@asynccontextmanager
async def transaction(
    opened: AsyncConnection, tenants: Iterable[UUID]
) -> AsyncIterator[AsyncConnection]:
    """Commit when left without an error, else roll back."""
    driver = asyncpg_connection(opened)
    try:
        await driver.execute(begin_with_tenants(tenants))
        yield opened
        await driver.execute("COMMIT")
    except BaseException:
        await _roll_back(driver)
        raise


async def _roll_back(driver: asyncpg.Connection) -> None:
    """Trap: one that stays open would be the next user's; so would its tenants."""
    try:
        await driver.execute("ROLLBACK")
    except Exception as error:  # noqa: BLE001  what led here is raised; this only comes after it
        log.info("not rolled back, closed", error=repr(error))
        driver.terminate()
    except BaseException:
        driver.terminate()
        raise
