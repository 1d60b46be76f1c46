"""Measures the outbox once a second: how many events it holds, and the age of the oldest.

Every process of a service measures, whatever its role: a process that only serves the API runs no
relay, but it must reject requests when the outbox is too old.
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
RESTART_INTERVAL_MEASUREMENTS = 60
"""Measurements until one starts at position 0 again; the others start at the last oldest row."""
log = get_logger("backlog")

# The driver caches the plan. Planned while the outbox is empty, the statement would later scan and
# sort the whole table (300 ms instead of 1 for 300,000 rows).
_FORCE_INDEX_SCAN = sa.text("""
    SELECT set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true),
           set_config('enable_bitmapscan', 'off', true)
""")
# A difference of positions instead of a count, which would read a million rows each second.
# Positions have gaps only where a transaction was rolled back.
_MEASURE = sa.text("""
    SELECT first.position, first.recorded,
           (SELECT max(position) FROM outbox WHERE position >= :floor) AS last
    FROM (SELECT position, recorded FROM outbox WHERE position >= :floor
          ORDER BY position LIMIT 1) AS first
""")


@dataclass
class OutboxMonitor:
    """Updates the service's `LoadMonitor` and the outbox metrics."""

    database: Database
    clock: Clock
    telemetry: Telemetry
    # Deleted rows stay in the index until vacuum: start above them.
    _first_position: int = field(default=0, init=False)
    _measurements: int = field(default=0, init=False)

    async def run(self, stop: asyncio.Event) -> None:
        """Measure every `MEASURE_INTERVAL_SECONDS` until `stop` is set."""
        while not stop.is_set():
            try:
                await self.measure()
            except Transient as error:
                # The last values stay: requests fail for the same reason and report it.
                log.info("cannot look", service=self.database.service, error=str(error))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), MEASURE_INTERVAL_SECONDS)

    async def measure(self) -> None:
        """Measure once. Raises `Transient` when the database is unavailable."""
        self._measurements += 1
        if self._measurements % RESTART_INTERVAL_MEASUREMENTS == 0:
            # A transaction that commits late adds a row below the last oldest one.
            self._first_position = 0
        async with self.database.unit_for(()) as unit:
            await unit.connection.execute(_FORCE_INDEX_SCAN)
            result = await unit.connection.execute(_MEASURE, {"floor": self._first_position})
            row = result.first()
        age_seconds, events = 0.0, 0
        if row is not None:
            age_seconds = max(0.0, (self.clock() - row.recorded).total_seconds())
            events = row.last - row.position + 1
            self._first_position = row.position
        load_monitor = self.database.load_monitor
        load_monitor.outbox_age_seconds, load_monitor.outbox_events = age_seconds, events
        service = self.database.service
        self.telemetry.gauge("preau.outbox.pending", float(events), service=service)
        self.telemetry.gauge("preau.outbox.oldest.age", age_seconds, service=service)
