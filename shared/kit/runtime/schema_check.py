"""Check a service's database at the start, before requests are served from it.

Its app role must be under row-level security, its schema new enough, its relay role able to read
the outbox. A newer schema is accepted: a migration that breaks an older version runs only after the
last pod of that version has stopped.
"""

import asyncpg
from sqlalchemy.engine import make_url

from shared.kit.database.database import CONNECT_TIMEOUT_SECONDS, UnsafeRole
from shared.kit.database.migrations import missing_frame_columns, missing_revisions
from shared.kit.runtime.service import Service
from shared.kit.runtime.startup import (
    AvailabilityCallback,
    CannotStart,
    parse_database_address,
    wait_until_available,
)

_READ_OUTBOX = "SELECT FROM outbox LIMIT 0"


async def wait_until_database_ready(
    service: Service, on_change: AvailabilityCallback, *, check_relay_role: bool
) -> None:
    """Wait until the database is available and checked. Raises `CannotStart` if a check fails."""
    prefix = service.name.upper()
    url = service.database.engine.url.render_as_string(hide_password=False)
    server = parse_database_address(url, f"{prefix}_DATABASE_URL")
    await wait_until_available(server, lambda: _check_schema(service), on_change)
    if check_relay_role:
        server = parse_database_address(service.relay_url, f"{prefix}_RELAY_URL")
        await wait_until_available(server, lambda: _check_relay_role(service.relay_url), on_change)


async def _check_schema(service: Service) -> None:
    try:
        await service.database.start()
    except UnsafeRole as error:
        setting = f"{service.name.upper()}_DATABASE_URL"
        message = f"{setting} is wrong: its role may see the rows of every tenant."
        raise CannotStart(message) from error
    async with service.database.engine.connect() as connection:
        missing = await connection.run_sync(missing_revisions, service.name)
        missing_columns = [] if missing else await connection.run_sync(missing_frame_columns)
    if missing:
        message = (
            f"The database of {service.name} lacks revision {', '.join(missing)}: "
            f"run `preau migrate {service.name}` first."
        )
        raise CannotStart(message)
    if missing_columns:
        message = (
            f"The database of {service.name} was made by a version before the first release "
            f"(it lacks {missing_columns[0]}): use that version for it, or begin with an empty "
            "database (`make clean` removes the local data)."
        )
        raise CannotStart(message)


async def _check_relay_role(url: str) -> None:
    dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(dsn, timeout=CONNECT_TIMEOUT_SECONDS)
    try:
        await connection.execute(_READ_OUTBOX)
    finally:
        await connection.close(timeout=CONNECT_TIMEOUT_SECONDS)
