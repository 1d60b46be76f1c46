"""Applies the Kafka batches of one consumer group, each in one transaction.

The transaction deduplicates, runs the reactions, and stores the next offset of each partition. When
an event fails, the batch is applied again with a savepoint per event: the failed event is parked,
and later events of its key are parked behind it, so that the order per key is kept. After a
transient error the transaction is rolled back and the batch is redelivered after a pause. When too
many events fail, the circuit breaker opens: batches that would park events are not committed until
it closes, other batches continue.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shared.contracts.event import Fact
from shared.kit.core.bus import Bus, IncomingRecord, Partition, Redeliver
from shared.kit.core.failpoints import hit_failpoint
from shared.kit.core.host import Telemetry
from shared.kit.core.reactions import AnyBoundReaction
from shared.kit.core.unit_of_work import Clock, Delivery
from shared.kit.database.database import Database, is_transient
from shared.kit.inbox import circuit_breaker, ledger
from shared.kit.inbox.attempt import BatchAttempt, Fenced
from shared.kit.inbox.backoff import PartitionBackoff
from shared.kit.inbox.circuit_breaker import CircuitOpen
from shared.kit.inbox.decode import (
    Decoded,
    DecodedRecord,
    EventDecoders,
    decode_record,
    decoders_for,
)
from shared.kit.inbox.parked import RetryPolicy
from shared.kit.inbox.preparation import Preparation, Preparer, RecordOffset, record_offset
from shared.kit.inbox.retry_limits import (
    AttemptSize,
    GivenUp,
    RetryLimits,
    is_caused_by_own_slowness,
)
from shared.kit.inbox.thresholds import FailureThreshold
from shared.kit.telemetry.logs import get_logger
from shared.kit.telemetry.messaging import open_process_span

log = get_logger("inbox")
TRANSIENT_PAUSE_SECONDS = 1.0
DECODE_SLICE_RECORDS = 100
"""Records decoded between two yields to the event loop (about 0.5 ms)."""


@dataclass
class BatchConsumer:
    """Applies the batches of one service's consumer group; implements `core.bus.Consumer`."""

    group: str
    database: Database
    reactions: Sequence[AnyBoundReaction]
    bus: Bus
    clock: Clock
    telemetry: Telemetry
    retry_policy: RetryPolicy = field(default_factory=RetryPolicy)
    failure_threshold: FailureThreshold = field(default_factory=FailureThreshold)
    retry_limits: RetryLimits = field(default_factory=RetryLimits)
    _expected: dict[Partition, int] = field(default_factory=dict)
    _attempt_size: AttemptSize = field(default_factory=AttemptSize)
    # Errors of single-event batches that exceeded the limit: the next attempt parks the event
    # without running its reactions.
    _given_up: dict[RecordOffset, GivenUp] = field(default_factory=dict)
    # The batch that `prepare` decoded ahead (compared by identity), and the result.
    _decoded: tuple[Sequence[IncomingRecord], list[DecodedRecord]] = ((), [])
    _backoff: PartitionBackoff = field(default_factory=PartitionBackoff)
    preparer: Preparer = field(default_factory=Preparer)

    def __post_init__(self) -> None:
        facts = {fact for reaction in self.reactions for fact in reaction.on}
        self.decoders: EventDecoders = decoders_for(facts)
        self._older_types = frozenset(self.decoders.keys() - {fact.wire_type() for fact in facts})
        self.topics = tuple(sorted({fact.TOPIC for fact in facts}))

    async def on_assigned(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        """Return the next offsets in the positions table; a new partition starts at its log start.

        See `Consumer.on_assigned`.
        """
        topics = sorted({partition.topic for partition in partitions})
        bounds = await self.bus.get_log_bounds(topics)
        async with self.database.unit_for(()) as unit:
            log_starts = {partition: bounds.begin.get(partition, 0) for partition in partitions}
            await ledger.insert_positions(unit.connection, self.group, log_starts)
            positions = await ledger.get_positions(unit.connection, self.group)
            log_ends = {partition: bounds.end.get(partition, 0) for partition in partitions}
            start_counts = await ledger.count_starts(unit.connection, self.group, log_ends)
        starts = {partition: positions[partition] for partition in partitions}
        self._expected.update(starts)
        self._isolate_without_progress(starts, start_counts)
        return starts

    def _isolate_without_progress(
        self, starts: Mapping[Partition, int], start_counts: Mapping[Partition, ledger.StartCount]
    ) -> None:
        """Use single-event batches in partitions that made no progress over several assignments.

        `max_starts` of 0 disables this.
        """
        max_starts = self.retry_limits.max_starts
        for partition, count in start_counts.items():
            if max_starts and (count.number > max_starts or count.unfinished):
                name = f"{partition.topic}/{partition.number}"
                log.warning(
                    "no progress: events are applied one by one",
                    group=self.group,
                    place=name,
                    starts=count.number,
                )
                self._attempt_size.isolate_from(partition, starts[partition])

    async def prepare(self, batch: Sequence[IncomingRecord]) -> None:
        """Decode a batch ahead, while the previous one is applied; see `Consumer.prepare`."""
        self._decoded = (batch, await self._decode(batch))

    async def _decode(self, batch: Sequence[IncomingRecord]) -> list[DecodedRecord]:
        now, decoders = self.clock(), self.decoders
        records = [decode_record(record, decoders, now) for record in batch[:DECODE_SLICE_RECORDS]]
        for begin in range(DECODE_SLICE_RECORDS, len(batch), DECODE_SLICE_RECORDS):
            await asyncio.sleep(0)
            records += [
                decode_record(record, decoders, now)
                for record in batch[begin : begin + DECODE_SLICE_RECORDS]
            ]
        return records

    async def on_revoked(self, partitions: Sequence[Partition]) -> None:
        """See `Consumer.on_revoked`."""
        self.telemetry.count("preau.consumer.rebalance", group=self.group)
        self._backoff.clear(partitions)
        self._attempt_size.forget(partitions)
        for partition in partitions:
            self._expected.pop(partition, None)

    async def handle(self, batch: Sequence[IncomingRecord]) -> Mapping[Partition, int]:
        """Apply the batch, or the first part of it; see `Consumer.handle`."""
        hit_failpoint("batch.polled")
        partitions = {record.partition for record in batch}
        paused = await self._backoff.paused(partitions, self.database, self.group, self.clock())
        decoded_batch, decoded = self._decoded
        if decoded_batch is not batch:
            decoded = await self._decode(batch)
        expected = self._expected.get
        records: Sequence[DecodedRecord] = [
            item for item in decoded if item.record.offset >= expected(item.record.partition, 0)
        ]
        if paused:
            records = [item for item in records if item.record.partition not in paused]
        records = self._attempt_size.take_first(records)
        started_at = time.thread_time()
        try:
            records = await self._prepare_and_apply(records)
        except Fenced:
            # The caller seeks to the returned offsets.
            return await self.on_assigned(sorted(partitions, key=lambda p: (p.topic, p.number)))
        except Redeliver:
            raise
        except Exception as error:
            if is_transient(error):
                self._record_failure(records, error, time.thread_time() - started_at)
                raise Redeliver(TRANSIENT_PAUSE_SECONDS, str(error)) from error
            raise
        self._attempt_size.record_success()
        self._expected |= {item.record.partition: item.record.offset + 1 for item in records}
        return {partition: self._expected[partition] for partition in partitions - paused}

    async def _prepare_and_apply(self, records: Sequence[DecodedRecord]) -> Sequence[DecodedRecord]:
        """Run the reactions' `prepare` stage, then apply; return the applied first records."""
        preparation = await self._begin_isolated_attempt(records)
        if preparation is None:
            records, preparation = await self.preparer.prepare(self.reactions, records)
        await self._apply(records, preparation)
        return records

    async def _begin_isolated_attempt(self, records: Sequence[DecodedRecord]) -> Preparation | None:
        """Count an attempt of a single-event batch, in a transaction of its own.

        Returns None to go ahead, or after `max_attempts` a preparation that fails the event. While
        the database is down the counter does not increase.
        """
        item = records[0] if len(records) == 1 else None
        if not isinstance(item, Decoded) or not self._attempt_size.is_isolated(item):
            return None
        position = record_offset(item.delivery)
        error = self._given_up.pop(position, None)
        if error is None:
            async with self.database.unit_for(()) as unit:
                tries = await ledger.count_attempt(unit.connection, self.group, *position)
            if tries <= self.retry_limits.max_attempts:
                return None
            error = GivenUp(f"tried alone {tries - 1} times, and no attempt was committed")
        log.warning(
            "event is parked after too many attempts",
            group=self.group,
            offset=position[1],
            error=str(error),
        )
        return Preparation(failures={position: error})

    def _record_failure(
        self, records: Sequence[DecodedRecord], error: Exception, processor_seconds: float
    ) -> None:
        """Reduce the size of the next attempt after a transient failure or slowness."""
        slow = is_caused_by_own_slowness(error, processor_seconds, self.retry_limits)
        log.warning("batch will be redelivered", group=self.group, error=str(error), slow=slow)
        self._count("retried", len(records))
        if slow and len(records) == 1 and isinstance(records[0], Decoded):
            cause = f"too slow: {processor_seconds:.1f} s of processor time, then {error}"
            self._given_up[record_offset(records[0].delivery)] = GivenUp(cause)
        if records:
            self._attempt_size.record_failure(records, slow=slow)

    async def _apply(self, records: Sequence[DecodedRecord], preparation: Preparation) -> None:
        if not records:
            return
        deliveries = [item.delivery for item in records if isinstance(item, Decoded)]
        with open_process_span(self.telemetry, self.group, deliveries, self.clock()):
            try:
                counts = await self._apply_or_isolate(records, preparation)
            except CircuitOpen as error:
                await circuit_breaker.open_circuit(self.database, self.group, error, self.clock())
                self._backoff.start({item.record.partition for item in records}, self.clock())
                pause_seconds = circuit_breaker.STATE_POLL_SECONDS
                raise Redeliver(pause_seconds, f"stopped: {error}") from error
        self._record_metrics(counts, deliveries)

    async def _apply_or_isolate(
        self, records: Sequence[DecodedRecord], preparation: Preparation
    ) -> Counter[str]:
        """Apply the batch; if an event fails, again with a savepoint per event and parking."""
        attempt = self.make_attempt(preparation)
        try:
            return await attempt.apply_in_transaction(records, self._expected, isolate=False)
        except (Fenced, CircuitOpen):
            raise
        except Exception as error:
            if is_transient(error):
                raise
            log.info("isolating a failure", group=self.group, error=str(error))
        return await attempt.apply_in_transaction(records, self._expected, isolate=True)

    def make_attempt(self, preparation: Preparation) -> BatchAttempt:
        """Create the attempt that applies prepared records for this group."""
        return BatchAttempt(
            self.group,
            self.database,
            self.reactions,
            self.retry_policy,
            self.failure_threshold,
            self._older_types,
            preparation,
            self.retry_limits,
            self.telemetry,
        )

    def _record_metrics(self, counts: Counter[str], deliveries: Sequence[Delivery[Fact]]) -> None:
        for outcome, number in counts.items():
            self._count(outcome, number)
        now = self.clock()
        seconds = [(now - delivery.recorded).total_seconds() for delivery in deliveries]
        self.telemetry.observe("preau.event.end_to_end.duration", *seconds, group=self.group)

    def _count(self, outcome: str, number: int) -> None:
        self.telemetry.count("preau.consumer.outcome", number, group=self.group, outcome=outcome)
