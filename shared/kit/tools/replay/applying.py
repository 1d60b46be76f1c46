"""Applying the log to a shadow: through the service's own reactions and inbox, in batches."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from shared.kit.core.bus import Bus, Incoming, Partition, Redeliver
from shared.kit.inbox import ledger
from shared.kit.inbox.circuit_breaker import Stopped
from shared.kit.inbox.consumer import BatchConsumer
from shared.kit.inbox.retry import ParkedKeys
from shared.kit.tools.replay.errors import CannotApply
from shared.kit.tools.replay.feed import Order, batches
from shared.kit.tools.replay.live import Aside, Standing
from shared.kit.tools.replay.shadow import LogClock, ShadowDatabase

TRIES = 5
LONG_ENOUGH = timedelta(hours=1)
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
class Applying:
    """One reader of the shadow's: a group of its own, fed by hand."""

    consumer: BatchConsumer
    database: ShadowDatabase
    bus: Bus
    clock: LogClock
    order: Order
    events: int = 0

    @property
    def group(self) -> str:
        """Its name."""
        return self.consumer.group

    @property
    def _left_out(self) -> str:
        return f"{self.group}.left-out"

    async def begin_at(self, since: datetime) -> None:
        """Begin where that moment is in the log, in partitions not yet begun."""
        begin = (await self.bus.progress(self.consumer.topics, since)).begin
        async with self.database.batch(()) as unit:
            await ledger.begin(unit.connection, self.group, begin)

    async def read_to(self, ends: Mapping[Partition, int]) -> None:
        """Apply everything that lies before these offsets. Raises `CannotApply`."""
        if not ends:
            return
        starts = await self.consumer.assigned(list(ends))
        spans = {place: (starts[place], end) for place, end in ends.items()}
        async with aclosing(batches(self.bus, spans, self.order)) as found:
            async for batch in found:
                self.clock.follow(batch)
                await self._apply(batch)
                self.events += len(batch)

    async def _apply(self, batch: Sequence[Incoming]) -> None:
        """Apply all of it: after a failure, the inbox takes only some of what it is handed."""
        left, failures = batch, 0
        while left:
            try:
                after = await self.consumer.handle(left)
            except Redeliver as error:
                failures += 1
                if isinstance(error.__cause__, Stopped) or failures == TRIES:
                    raise CannotApply(f"The shadow cannot be built: {error}.") from error
                await asyncio.sleep(error.pause)
            else:
                left = [each for each in left if each.offset >= after[each.partition]]

    async def leave_out(self, live: Standing) -> int:
        """Leave out what the live group put aside; park what it has not aside any more.

        What is parked is tried when all else is read, and what follows in its key waits behind it:
        the live group, too, applied it at some later moment. Say how many are left out now.
        """
        rows = await self.database.rows(_KEPT, consumer_group=self._left_out)
        kept: set[Aside] = {(row.topic, row.partition, row.offset) for row in rows}
        new = [row for place, row in live.aside.items() if place not in kept]
        async with self.database.batch(()) as unit:
            for topic, partition, offset in kept - live.aside.keys():
                values = {"topic": topic, "partition": partition, "offset": offset}
                groups = {"consumer_group": self._left_out, "released": self.group}
                await unit.connection.execute(_RELEASE, values | groups)
            await ledger.claim(unit.connection, self.group, [row["event_id"] for row in new])
            for row in new:
                await unit.connection.execute(_KEEP, {"consumer_group": self._left_out, **row})
        return len(live.aside)

    async def try_parked_again(self) -> None:
        """Try what waits, now that all the rest is there: what failed, and what was released."""
        keys = ParkedKeys(self.consumer)
        with self.clock.later(LONG_ENOUGH):
            # What was released was never tried here, and so has no next try.
            await keys.wake()
            while await keys.retry():
                pass

    async def outcomes(self) -> dict[str, int]:
        """Count what became of all that was read."""
        (row,) = await self.database.rows(_OUTCOMES, consumer_group=self.group)
        return {name: int(number) for name, number in row._asdict().items()}

    async def failed(self) -> list[dict[str, object]]:
        """List what could not be applied, though the live group has it."""
        rows = await self.database.rows(_FAILED, consumer_group=self.group)
        return [row._asdict() for row in rows]
