"""Applying the log to a shadow: through the service's own reactions and inbox, in batches."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from shared.kit.core.bus import Bus, IncomingRecord, Partition, Redeliver
from shared.kit.inbox import ledger
from shared.kit.inbox.circuit_breaker import CircuitOpen
from shared.kit.inbox.consumer import BatchConsumer
from shared.kit.inbox.retry import ParkedEventRetrier
from shared.kit.tools.replay.errors import CannotApply
from shared.kit.tools.replay.feed import ReadOrder, read_batches
from shared.kit.tools.replay.live import GroupPosition, RecordLocation
from shared.kit.tools.replay.shadow import LogClock, ShadowDatabase

MAX_ATTEMPTS = 5
RETRY_CLOCK_ADVANCE = timedelta(hours=1)
"""After which every parked event is due."""
_KEPT = sa.text("""
    SELECT topic, partition, "offset" FROM parked WHERE consumer_group = :consumer_group
""")
_KEEP = sa.text("""
    INSERT INTO parked (consumer_group, topic, partition, "offset", key, event_id, type, tenant_id,
                        record_key, record_value, traceparent, state, first_failed)
    VALUES (:consumer_group, :topic, :partition, :offset, :key, :event_id, :type, :tenant_id,
            :record_key, :record_value, :traceparent, 'skipped', :first_failed)
""")
_RELEASE = sa.text("""
    UPDATE parked SET consumer_group = :released, state = 'parked'
    WHERE consumer_group = :consumer_group AND topic = :topic AND partition = :partition
      AND "offset" = :offset
""")
_OUTCOMES = sa.text("""
    SELECT COALESCE(sum(applied), 0) AS applied, COALESCE(sum(ignored), 0) AS ignored,
           COALESCE(sum(duplicate), 0) AS duplicate,
           (SELECT count(*) FROM parked WHERE consumer_group = :consumer_group AND key IS NULL)
               AS unreadable
    FROM positions WHERE consumer_group = :consumer_group
""")
_FAILED = sa.text("""
    SELECT topic, partition, "offset", type, state, cause FROM parked
    WHERE consumer_group = :consumer_group AND key IS NOT NULL AND cause IS NOT NULL
    ORDER BY topic, partition, "offset" LIMIT 50
""")


@dataclass
class ShadowConsumer:
    """One reader of the shadow's: a group of its own, fed by hand."""

    consumer: BatchConsumer
    database: ShadowDatabase
    bus: Bus
    clock: LogClock
    order: ReadOrder
    events: int = 0

    @property
    def group(self) -> str:
        """Its name."""
        return self.consumer.group

    @property
    def _left_out(self) -> str:
        return f"{self.group}.left-out"

    async def start_at(self, since: datetime) -> None:
        """Begin where that moment is in the log, in partitions not yet begun."""
        begin = (await self.bus.get_log_bounds(self.consumer.topics, since)).begin
        async with self.database.unit_for(()) as unit:
            await ledger.insert_positions(unit.connection, self.group, begin)

    async def apply_until(self, ends: Mapping[Partition, int]) -> None:
        """Apply everything that lies before these offsets. Raises `CannotApply`."""
        if not ends:
            return
        starts = await self.consumer.on_assigned(list(ends))
        spans = {place: (starts[place], end) for place, end in ends.items()}
        async with aclosing(read_batches(self.bus, spans, self.order)) as found:
            async for batch in found:
                self.clock.advance_to(batch)
                await self._apply(batch)
                self.events += len(batch)

    async def _apply(self, batch: Sequence[IncomingRecord]) -> None:
        """Apply all of it: after a failure, the inbox takes only some of what it is handed."""
        left, failures = batch, 0
        while left:
            try:
                after = await self.consumer.handle(left)
            except Redeliver as error:
                failures += 1
                if isinstance(error.__cause__, CircuitOpen) or failures == MAX_ATTEMPTS:
                    raise CannotApply(f"The shadow cannot be built: {error}.") from error
                await asyncio.sleep(error.pause_seconds)
            else:
                left = [each for each in left if each.offset >= after[each.partition]]

    async def exclude_unapplied(self, live: GroupPosition) -> int:
        """Leave out what the live group put aside; park what it has not aside any more.

        What is parked is tried when all else is read, and what follows in its key waits behind it:
        the live group, too, applied it at some later moment. Say how many are left out now.
        """
        rows = await self.database.execute_once(_KEPT, consumer_group=self._left_out)
        kept: set[RecordLocation] = {(row.topic, row.partition, row.offset) for row in rows}
        new = [row for place, row in live.unapplied.items() if place not in kept]
        async with self.database.unit_for(()) as unit:
            for topic, partition, offset in kept - live.unapplied.keys():
                values = {"topic": topic, "partition": partition, "offset": offset}
                groups = {"consumer_group": self._left_out, "released": self.group}
                await unit.connection.execute(_RELEASE, values | groups)
            await ledger.claim_events(unit.connection, self.group, [row["event_id"] for row in new])
            for row in new:
                await unit.connection.execute(_KEEP, {"consumer_group": self._left_out, **row})
        return len(live.unapplied)

    async def retry_parked(self) -> None:
        """Try what waits, now that all the rest is there: what failed, and what was released."""
        keys = ParkedEventRetrier(self.consumer)
        with self.clock.advanced_by(RETRY_CLOCK_ADVANCE):
            # What was released was never tried here, and so has no next try.
            await keys.make_forgotten_due()
            while await keys.retry_due():
                pass

    async def count_outcomes(self) -> dict[str, int]:
        """Count what became of all that was read."""
        (row,) = await self.database.execute_once(_OUTCOMES, consumer_group=self.group)
        return {name: int(number) for name, number in row._asdict().items()}

    async def list_failures(self) -> list[dict[str, object]]:
        """List what could not be applied, though the live group has it."""
        rows = await self.database.execute_once(_FAILED, consumer_group=self.group)
        return [row._asdict() for row in rows]
