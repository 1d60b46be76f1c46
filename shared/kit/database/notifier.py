"""Wake the relays of other processes with NOTIFY, at most once per `NOTIFY_INTERVAL_SECONDS`.

The NOTIFY is never sent in the transaction that wrote the events: PostgreSQL serialises the commits
of transactions that notify, so all commands of the service would queue there. A relay that misses
a NOTIFY finds the events when it polls.
"""

import asyncio
from contextlib import suppress

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.kit.database.driver_statement import asyncpg_connection
from shared.kit.telemetry.logs import get_logger

OUTBOX_CHANNEL = "outbox"
NOTIFY_INTERVAL_SECONDS = 0.005
_DRIVER_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
log = get_logger("outbox")


class OutboxNotifier:
    """Sends NOTIFY on `OUTBOX_CHANNEL`; calls within one interval share one NOTIFY."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._is_pending = False
        self._task: asyncio.Task[None] | None = None

    def notify(self) -> None:
        """Schedule a NOTIFY. Neither waits nor raises."""
        self._is_pending = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._send_pending())

    async def stop(self) -> None:
        """Cancel a scheduled NOTIFY."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _send_pending(self) -> None:
        while self._is_pending:
            self._is_pending = False
            try:
                async with self._engine.connect() as connection:
                    await asyncpg_connection(connection).execute(f"NOTIFY {OUTBOX_CHANNEL}")
            except (DBAPIError, PoolTimeout, *_DRIVER_ERRORS, OSError) as error:
                log.info("relay not notified", error=str(error))
            await asyncio.sleep(NOTIFY_INTERVAL_SECONDS)
