"""Is the database fit for this version? Asked at the start, before anything is served from it.

Its app role must be under row-level security, its schema new enough, its relay role able to see the
outbox. A schema that is newer than this version is none of its business: what an older version
cannot bear is migrated after its last pod is gone.
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

_OUTBOX = "SELECT FROM outbox LIMIT 0"


async def wait_until_database_ready(
    service: Service, tell: AvailabilityCallback, *, check_relay_role: bool
) -> None:
    """Wait for the service's database. Raises `CannotStart` for what waiting cannot mend."""
    prefix = service.name.upper()
    url = service.database.engine.url.render_as_string(hide_password=False)
    server = parse_database_address(url, f"{prefix}_DATABASE_URL")
    await wait_until_available(server, lambda: _look(service), tell)
    if check_relay_role:
        server = parse_database_address(service.relay_url, f"{prefix}_RELAY_URL")
        await wait_until_available(server, lambda: _look_as_relay(service.relay_url), tell)


async def _look(service: Service) -> None:
    try:
        await service.database.start()
    except UnsafeRole as error:
        setting = f"{service.name.upper()}_DATABASE_URL"
        message = f"{setting} is wrong: its role may see the rows of every tenant."
        raise CannotStart(message) from error
    async with service.database.engine.connect() as connection:
        lacking = await connection.run_sync(missing_revisions, service.name)
        absent = [] if lacking else await connection.run_sync(missing_frame_columns)
    if lacking:
        message = (
            f"The database of {service.name} lacks revision {', '.join(lacking)}: "
            f"run `preau migrate {service.name}` first."
        )
        raise CannotStart(message)
    if absent:
        message = (
            f"The database of {service.name} was made by a version before the first release "
            f"(it lacks {absent[0]}): use that version for it, or begin with an empty database "
            "(`make clean` removes the local data)."
        )
        raise CannotStart(message)


async def _look_as_relay(url: str) -> None:
    dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(dsn, timeout=CONNECT_TIMEOUT_SECONDS)
    try:
        await connection.execute(_OUTBOX)
    finally:
        await connection.close(timeout=CONNECT_TIMEOUT_SECONDS)
