"""Applies the log to a shadow schema, in batches, through the service's reactions and inbox."""

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
"""After this time every parked event is due for its retry."""
_EXCLUDED = sa.text("""
    SELECT topic, partition, "offset" FROM parked WHERE consumer_group = :consumer_group
""")
_EXCLUDE = sa.text("""
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
    """Consumer group of a replay; it applies records that the replay reads for it."""

    batch_consumer: BatchConsumer
    database: ShadowDatabase
    bus: Bus
    clock: LogClock
    order: ReadOrder
    events: int = 0

    @property
    def group(self) -> str:
        """Return the name of the consumer group."""
        return self.batch_consumer.group

    @property
    def _excluded_group(self) -> str:
        return f"{self.group}.left-out"

    async def start_at(self, since: datetime) -> None:
        """Set the start of partitions without a position to the offset at this time."""
        first_offsets = (await self.bus.get_log_bounds(self.batch_consumer.topics, since)).begin
        async with self.database.unit_for(()) as unit:
            await ledger.insert_positions(unit.connection, self.group, first_offsets)

    async def apply_until(self, ends: Mapping[Partition, int]) -> None:
        """Apply the records before these offsets. Raises `CannotApply`."""
        if not ends:
            return
        starts = await self.batch_consumer.on_assigned(list(ends))
        spans = {partition: (starts[partition], end) for partition, end in ends.items()}
        async with aclosing(read_batches(self.bus, spans, self.order)) as record_batches:
            async for batch in record_batches:
                self.clock.advance_to(batch)
                await self._apply(batch)
                self.events += len(batch)

    async def _apply(self, batch: Sequence[IncomingRecord]) -> None:
        """Apply the whole batch; after a failure, the inbox accepts a part of it at a time."""
        remaining, failures = batch, 0
        while remaining:
            try:
                next_offsets = await self.batch_consumer.handle(remaining)
            except Redeliver as error:
                failures += 1
                if isinstance(error.__cause__, CircuitOpen) or failures == MAX_ATTEMPTS:
                    raise CannotApply(f"The shadow cannot be built: {error}.") from error
                await asyncio.sleep(error.pause_seconds)
            else:
                remaining = [
                    record
                    for record in remaining
                    if record.offset >= next_offsets[record.partition]
                ]

    async def exclude_unapplied(self, live_position: GroupPosition) -> int:
        """Exclude events that the live group has not applied; park those it has applied since.

        Released events are retried after all others are read, and later events of their keys wait
        for them, as in the live group. Returns how many events are excluded now.
        """
        rows = await self.database.execute_once(_EXCLUDED, consumer_group=self._excluded_group)
        excluded: set[RecordLocation] = {(row.topic, row.partition, row.offset) for row in rows}
        new_rows = [
            row for location, row in live_position.unapplied.items() if location not in excluded
        ]
        async with self.database.unit_for(()) as unit:
            for topic, partition, offset in excluded - live_position.unapplied.keys():
                values = {"topic": topic, "partition": partition, "offset": offset}
                groups = {"consumer_group": self._excluded_group, "released": self.group}
                await unit.connection.execute(_RELEASE, values | groups)
            await ledger.claim_events(
                unit.connection, self.group, [row["event_id"] for row in new_rows]
            )
            for row in new_rows:
                await unit.connection.execute(
                    _EXCLUDE, {"consumer_group": self._excluded_group, **row}
                )
        return len(live_position.unapplied)

    async def retry_parked(self) -> None:
        """Retry parked events: failed ones, and events released by `exclude_unapplied`."""
        keys = ParkedEventRetrier(self.batch_consumer)
        with self.clock.advanced_by(RETRY_CLOCK_ADVANCE):
            # Released events have no time of the next retry, because they never failed here.
            await keys.make_forgotten_due()
            while await keys.retry_due():
                pass

    async def count_outcomes(self) -> dict[str, int]:
        """Return the number of events per outcome."""
        (row,) = await self.database.execute_once(_OUTCOMES, consumer_group=self.group)
        return {name: int(number) for name, number in row._asdict().items()}

    async def list_failures(self) -> list[dict[str, object]]:
        """Return the events that failed here although the live group has applied them."""
        rows = await self.database.execute_once(_FAILED, consumer_group=self.group)
        return [row._asdict() for row in rows]
