"""Apply a batch: decode and prepare it, then deduplicate, react and move in one transaction.

When one event of a batch fails for good reason, the batch is run again with a savepoint per event,
which leaves the bad one alone; what is transient makes the whole batch wait. When too much fails,
the group stops instead (`halts`).
"""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shared.contracts.event import Fact
from shared.kit.core.bus import Bus, IncomingRecord, Partition, Redeliver
from shared.kit.core.failpoints import hit_failpoint
from shared.kit.core.host import Telemetry
from shared.kit.core.reactions import AnyBoundReaction
from shared.kit.core.unit_of_work import Clock, Delivery
from shared.kit.database.database import Database, is_transient
from shared.kit.inbox import circuit_breaker as halts
from shared.kit.inbox import ledger
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
"""Records decoded at a stretch, about half a millisecond; then the batch in hand may go on."""


@dataclass
class BatchConsumer:
    """One service's reader: what the bus calls with each batch (`bus.port.Consumer`)."""

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
    _pace: AttemptSize = field(default_factory=AttemptSize)
    # Single events that made us too slow: parked at the next attempt, without trying them.
    _given_up: dict[RecordOffset, GivenUp] = field(default_factory=dict)
    _decoded: tuple[Sequence[IncomingRecord], list[DecodedRecord]] = ((), [])
    _waits: PartitionBackoff = field(default_factory=PartitionBackoff)
    preparer: Preparer = field(default_factory=Preparer)

    def __post_init__(self) -> None:
        facts = {fact for reaction in self.reactions for fact in reaction.on}
        self.decoders: EventDecoders = decoders_for(facts)
        self._older = frozenset(self.decoders.keys() - {fact.wire_type() for fact in facts})
        self.topics = tuple(sorted({fact.TOPIC for fact in facts}))

    async def on_assigned(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        """Start where our own tables say; in a partition new to the group, at its beginning."""
        topics = sorted({partition.topic for partition in partitions})
        progress = await self.bus.get_log_bounds(topics)
        async with self.database.unit_for(()) as unit:
            fresh = {place: progress.begin.get(place, 0) for place in partitions}
            await ledger.insert_positions(unit.connection, self.group, fresh)
            known = await ledger.get_positions(unit.connection, self.group)
            ends = {place: progress.end.get(place, 0) for place in partitions}
            counted = await ledger.count_starts(unit.connection, self.group, ends)
        starts = {place: known[place] for place in partitions}
        self._expected.update(starts)
        self._suspect(starts, counted)
        return starts

    def _suspect(
        self, starts: Mapping[Partition, int], counted: Mapping[Partition, ledger.StartCount]
    ) -> None:
        """Try each event alone where readers start again and again without any progress."""
        most = self.retry_limits.max_starts
        for place, each in counted.items():
            if most and (each.number > most or each.unfinished):
                name = f"{place.topic}/{place.number}"
                log.warning("no progress", group=self.group, place=name, starts=each.number)
                self._pace.isolate_from(place, starts[place])

    async def prepare(self, batch: Sequence[IncomingRecord]) -> None:
        """Decode it while the database works on the one before."""
        self._decoded = (batch, await self._decode(batch))

    async def _decode(self, batch: Sequence[IncomingRecord]) -> list[DecodedRecord]:
        now, wanted = self.clock(), self.decoders
        found = [decode_record(record, wanted, now) for record in batch[:DECODE_SLICE_RECORDS]]
        for begin in range(DECODE_SLICE_RECORDS, len(batch), DECODE_SLICE_RECORDS):
            await asyncio.sleep(0)
            found += [
                decode_record(record, wanted, now)
                for record in batch[begin : begin + DECODE_SLICE_RECORDS]
            ]
        return found

    async def on_revoked(self, partitions: Sequence[Partition]) -> None:
        """Forget where those stood."""
        self.telemetry.count("preau.consumer.rebalance", group=self.group)
        self._waits.clear(partitions)
        self._pace.forget(partitions)
        for place in partitions:
            self._expected.pop(place, None)

    async def handle(self, batch: Sequence[IncomingRecord]) -> Mapping[Partition, int]:
        """Apply the batch; see `bus.port.Consumer.handle`."""
        hit_failpoint("batch.polled")
        places = {record.partition for record in batch}
        held = await self._waits.paused(places, self.database, self.group, self.clock())
        decoded_batch, decoded = self._decoded
        if decoded_batch is not batch:
            decoded = await self._decode(batch)
        expected = self._expected.get
        reads: Sequence[DecodedRecord] = [
            item for item in decoded if item.record.offset >= expected(item.record.partition, 0)
        ]
        if held:
            reads = [item for item in reads if item.record.partition not in held]
        reads = self._pace.take_first(reads)
        began = time.thread_time()
        try:
            reads = await self._try(reads)
        except Fenced:
            return await self.on_assigned(sorted(places, key=lambda p: (p.topic, p.number)))
        except Redeliver:
            raise
        except Exception as error:
            if is_transient(error):
                self._fail(reads, error, time.thread_time() - began)
                raise Redeliver(TRANSIENT_PAUSE_SECONDS, str(error)) from error
            raise
        self._pace.record_success()
        self._expected |= {item.record.partition: item.record.offset + 1 for item in reads}
        return {place: self._expected[place] for place in places - held}

    async def _try(self, reads: Sequence[DecodedRecord]) -> Sequence[DecodedRecord]:
        """Prepare and apply these records; give those that were, all or the first of them."""
        given_up = await self._begin_trial(reads)
        if given_up is None:
            reads, preparation = await self.preparer.prepare(self.reactions, reads)
        else:
            preparation = given_up
        await self._apply(reads, preparation)
        return reads

    async def _begin_trial(self, reads: Sequence[DecodedRecord]) -> Preparation | None:
        """Note an attempt at an event that is suspect; say that it fails if there were too many.

        Writing it down shows that the database answers: in an outage no attempt is counted.
        """
        item = reads[0] if len(reads) == 1 else None
        if not isinstance(item, Decoded) or not self._pace.is_isolated(item):
            return None
        place = record_offset(item.delivery)
        error = self._given_up.pop(place, None)
        if error is None:
            async with self.database.unit_for(()) as unit:
                tries = await ledger.count_attempt(unit.connection, self.group, *place)
            if tries <= self.retry_limits.max_attempts:
                return None
            error = GivenUp(f"tried alone {tries - 1} times, and no attempt came to an end")
        log.warning("given up for now", group=self.group, offset=place[1], error=str(error))
        return Preparation(failures={place: error})

    def _fail(
        self, reads: Sequence[DecodedRecord], error: Exception, processor_seconds: float
    ) -> None:
        """Learn that a batch failed by what may pass, or because we were too slow ourselves."""
        slow = is_caused_by_own_slowness(error, processor_seconds, self.retry_limits)
        log.warning("batch will be tried again", group=self.group, error=str(error), slow=slow)
        self._count("retried", len(reads))
        if slow and len(reads) == 1 and isinstance(reads[0], Decoded):
            said = f"too slow: {processor_seconds:.1f} s of processor time, then {error}"
            self._given_up[record_offset(reads[0].delivery)] = GivenUp(said)
        if reads:
            self._pace.record_failure(reads, slow=slow)

    async def _apply(self, reads: Sequence[DecodedRecord], preparation: Preparation) -> None:
        if not reads:
            return
        deliveries = [item.delivery for item in reads if isinstance(item, Decoded)]
        with open_process_span(self.telemetry, self.group, deliveries, self.clock()):
            try:
                outcome = await self._settle(reads, preparation)
            except CircuitOpen as stopped:
                await halts.open_circuit(self.database, self.group, stopped, self.clock())
                self._waits.start({item.record.partition for item in reads}, self.clock())
                raise Redeliver(halts.STATE_POLL_SECONDS, f"stopped: {stopped}") from stopped
        self._tell(outcome, deliveries)

    async def _settle(
        self, reads: Sequence[DecodedRecord], preparation: Preparation
    ) -> Counter[str]:
        """Apply the batch at once, else one by one: what fails is put aside."""
        attempt = self.make_attempt(preparation)
        try:
            return await attempt.run(reads, self._expected, isolate=False)
        except (Fenced, CircuitOpen):
            raise
        except Exception as error:
            if is_transient(error):
                raise
            log.info("isolating a failure", group=self.group, error=str(error))
        return await attempt.run(reads, self._expected, isolate=True)

    def make_attempt(self, preparation: Preparation) -> BatchAttempt:
        """Describe how this group applies what is prepared."""
        return BatchAttempt(
            self.group,
            self.database,
            self.reactions,
            self.retry_policy,
            self.failure_threshold,
            self._older,
            preparation,
            self.retry_limits,
            self.telemetry,
        )

    def _tell(self, outcome: Counter[str], deliveries: Sequence[Delivery[Fact]]) -> None:
        for name, number in outcome.items():
            self._count(name, number)
        done: datetime = self.clock()
        seconds = [(done - delivery.recorded).total_seconds() for delivery in deliveries]
        self.telemetry.observe("preau.event.end_to_end.duration", *seconds, group=self.group)

    def _count(self, outcome: str, number: int) -> None:
        self.telemetry.count("preau.consumer.outcome", number, group=self.group, outcome=outcome)
