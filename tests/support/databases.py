"""A migrated database of one service, under its app role."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from uuid_utils.compat import uuid7

from deploy.local.stack import StackAddresses
from shared.kit.database.database import Database
from shared.kit.database.migrations import migrate
from tests.support.inbox_harness import no_trace


@asynccontextmanager
async def open_service_database(service: str, addresses: StackAddresses) -> AsyncIterator[Database]:
    """Migrate and open a service's database; close it when left."""
    await migrate(service, addresses.database_url(service, "owner"))
    database = Database(
        service,
        addresses.database_url(service, "app"),
        clock=lambda: datetime.now(UTC),
        new_id=uuid7,
        trace=no_trace,
    )
    try:
        yield database
    finally:
        await database.stop()
