"""Tell the relay of another process that facts were written: one NOTIFY for all of a moment.

Never inside the transaction that wrote them: PostgreSQL lets one committing transaction at a time
notify, and the whole service would queue there. A relay that hears nothing looks by itself.
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
"""Seconds between two announcements, at the least."""
_OF_THE_DRIVER = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
log = get_logger("outbox")


class OutboxNotifier:
    """Rings for whoever listens on `OUTBOX_CHANNEL` of this database."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._untold = False
        self._telling: asyncio.Task[None] | None = None

    def notify(self) -> None:
        """Announce soon. Never waits, never fails."""
        self._untold = True
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell())

    async def stop(self) -> None:
        """End."""
        if self._telling is not None:
            self._telling.cancel()
            with suppress(asyncio.CancelledError):
                await self._telling

    async def _tell(self) -> None:
        while self._untold:
            self._untold = False
            try:
                async with self._engine.connect() as opened:
                    await asyncpg_connection(opened).execute(f"NOTIFY {OUTBOX_CHANNEL}")
            except (DBAPIError, PoolTimeout, *_OF_THE_DRIVER, OSError) as error:
                log.info("relay not told", error=str(error))
            await asyncio.sleep(NOTIFY_INTERVAL_SECONDS)
