"""Looks at the outbox once a second: how many facts wait there, and since when.

Every process of a service looks, whatever its role: one that only serves the API has no relay to
ask, and must know all the same when to take on no more.
"""

import asyncio
import contextlib
from dataclasses import dataclass, field

import sqlalchemy as sa

from shared.kit.core.errors import Transient
from shared.kit.core.host import Telemetry
from shared.kit.core.unit_of_work import Clock
from shared.kit.database.database import Database
from shared.kit.telemetry.logs import get_logger

MEASURE_INTERVAL_SECONDS = 1.0
"""Seconds between two looks."""
RESTART_INTERVAL_MEASUREMENTS = 60
"""So many looks begin where the last one ended; then one begins at the beginning."""
log = get_logger("backlog")

# Planned while the outbox is empty, the statement would read and sort the whole of it, and go on to
# when there are a million rows: the driver keeps the plan (300 ms instead of 1 for 300,000).
_IN_ORDER = sa.text("""
    SELECT set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true),
           set_config('enable_bitmapscan', 'off', true)
""")
# Positions stand for a count, which would read a million rows each second: they have holes only
# where a transaction was rolled back.
_LOOK = sa.text("""
    SELECT first.position, first.recorded,
           (SELECT max(position) FROM outbox WHERE position >= :floor) AS last
    FROM (SELECT position, recorded FROM outbox WHERE position >= :floor
          ORDER BY position LIMIT 1) AS first
""")


@dataclass
class OutboxMonitor:
    """Tells the service's `LoadMonitor`, and the metrics."""

    database: Database
    clock: Clock
    telemetry: Telemetry
    # What was deleted still stands in the index until it is vacuumed: do not walk over it.
    _floor: int = field(default=0, init=False)
    _looks: int = field(default=0, init=False)

    async def run(self, stop: asyncio.Event) -> None:
        """Look until told to stop."""
        while not stop.is_set():
            try:
                await self.measure()
            except Transient as error:
                # The numbers stay as they are: requests meet the same trouble, and say so.
                log.info("cannot look", service=self.database.service, error=str(error))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), MEASURE_INTERVAL_SECONDS)

    async def measure(self) -> None:
        """Look once. Raises `Transient` without a database."""
        self._looks += 1
        if self._looks % RESTART_INTERVAL_MEASUREMENTS == 0:
            # What committed late stands below what was seen before it.
            self._floor = 0
        async with self.database.unit_for(()) as unit:
            await unit.connection.execute(_IN_ORDER)
            row = (await unit.connection.execute(_LOOK, {"floor": self._floor})).first()
        age, events = 0.0, 0
        if row is not None:
            age = max(0.0, (self.clock() - row.recorded).total_seconds())
            events = row.last - row.position + 1
            self._floor = row.position
        pressure = self.database.load_monitor
        pressure.outbox_age_seconds, pressure.outbox_events = age, events
        service = self.database.service
        self.telemetry.gauge("preau.outbox.pending", float(events), service=service)
        self.telemetry.gauge("preau.outbox.oldest.age", age, service=service)
