"""Apply a batch: decode, deduplicate and react in one transaction, then move the positions.

When one event of a batch fails for good reason, the batch is run again with a savepoint per event,
which leaves the bad one alone; what is transient makes the whole batch wait. When too much fails,
the group stops instead (`halts`).
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shared.contracts.event import Fact
from shared.kit.bus.port import Bus, Incoming, Partition, Redeliver
from shared.kit.database import Database, SqlUnit, is_transient
from shared.kit.errors import Invalid
from shared.kit.failpoints import reached
from shared.kit.host import Telemetry
from shared.kit.inbox import halts, ledger, parked
from shared.kit.inbox.decode import (
    Ignored,
    Read,
    Readable,
    Unreadable,
    Wanted,
    read,
    type_of,
    wanted_by,
)
from shared.kit.inbox.halts import Stopped
from shared.kit.inbox.limits import Limit
from shared.kit.inbox.parked import Aside, Failure, Retry
from shared.kit.inbox.waits import Waits
from shared.kit.inbox.work import Work
from shared.kit.service import BoundReaction
from shared.kit.telemetry.logs import logger
from shared.kit.telemetry.messaging import process_span
from shared.kit.unit import Clock, Delivery

log = logger("inbox")
TRANSIENT_PAUSE = 1.0
WHOLE = 100_000
"""More than any batch holds."""
SLICE = 100
"""Records decoded at a stretch, about half a millisecond; then the batch in hand may go on."""


class Fenced(Exception):
    """This batch was applied, or is being applied, by another reader of the group."""


@dataclass
class BatchConsumer:
    """One service's reader: what the bus calls with each batch (`bus.port.Consumer`)."""

    group: str
    database: Database
    reactions: Sequence[BoundReaction]
    bus: Bus
    clock: Clock
    telemetry: Telemetry
    retry: Retry = field(default_factory=Retry)
    limit: Limit = field(default_factory=Limit)
    _expected: dict[Partition, int] = field(default_factory=dict)
    # How many of a batch are tried at once: fewer after each failure, in case there was no time.
    _most: int = WHOLE
    _prepared: tuple[Sequence[Incoming], list[Read]] = ((), [])
    _waits: Waits = field(default_factory=Waits)

    def __post_init__(self) -> None:
        facts = {fact for reaction in self.reactions for fact in reaction.on}
        self.wanted: Wanted = wanted_by(facts)
        self._older = self.wanted.keys() - {fact.wire_type() for fact in facts}
        self.topics = tuple(sorted({fact.TOPIC for fact in facts}))

    async def assigned(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        """Start where our own tables say; in a partition new to the group, at its beginning."""
        topics = sorted({partition.topic for partition in partitions})
        log_begins = (await self.bus.progress(topics)).begin
        async with self.database.batch(()) as unit:
            fresh = {place: log_begins.get(place, 0) for place in partitions}
            await ledger.begin(unit.connection, self.group, fresh)
            known = await ledger.positions(unit.connection, self.group)
        starts = {place: known[place] for place in partitions}
        self._expected.update(starts)
        return starts

    async def prepare(self, batch: Sequence[Incoming]) -> None:
        """Decode it while the database works on the one before."""
        self._prepared = (batch, await self._decode(batch))

    async def _decode(self, batch: Sequence[Incoming]) -> list[Read]:
        now, wanted = self.clock(), self.wanted
        found = [read(record, wanted, now) for record in batch[:SLICE]]
        for begin in range(SLICE, len(batch), SLICE):
            await asyncio.sleep(0)
            found += [read(record, wanted, now) for record in batch[begin : begin + SLICE]]
        return found

    async def revoked(self, partitions: Sequence[Partition]) -> None:
        """Forget where those stood."""
        self.telemetry.count("preau.consumer.rebalance", group=self.group)
        self._waits.forget(partitions)
        for place in partitions:
            self._expected.pop(place, None)

    async def handle(self, batch: Sequence[Incoming]) -> Mapping[Partition, int]:
        """Apply the batch; see `bus.port.Consumer.handle`."""
        reached("batch.polled")
        places = {record.partition for record in batch}
        held = await self._waits.among(places, self.database, self.group, self.clock())
        prepared, decoded = self._prepared
        if prepared is not batch:
            decoded = await self._decode(batch)
        expected = self._expected.get
        reads = [
            item for item in decoded if item.record.offset >= expected(item.record.partition, 0)
        ]
        if held:
            reads = [item for item in reads if item.record.partition not in held]
        reads = reads[: self._most]
        try:
            await self._apply(reads)
        except Fenced:
            return await self.assigned(sorted(places, key=lambda p: (p.topic, p.number)))
        except Redeliver:
            raise
        except Exception as error:
            if is_transient(error):
                log.warning("batch will be tried again", group=self.group, error=str(error))
                self._count("retried", len(reads))
                # Trap: a batch that takes longer than a transaction may would never be done.
                self._most = max(1, len(reads) // 2)
                raise Redeliver(TRANSIENT_PAUSE, str(error)) from error
            raise
        self._most = min(self._most * 2, WHOLE)
        self._expected |= {item.record.partition: item.record.offset + 1 for item in reads}
        return {place: self._expected[place] for place in places - held}

    async def _apply(self, reads: Sequence[Read]) -> None:
        if not reads:
            return
        deliveries = [item.delivery for item in reads if isinstance(item, Readable)]
        with process_span(self.telemetry, self.group, deliveries, self.clock()):
            try:
                outcome = await self._settle(reads)
            except Stopped as stopped:
                await halts.stop(self.database, self.group, stopped, self.clock())
                self._waits.begin({item.record.partition for item in reads}, self.clock())
                raise Redeliver(halts.LOOK, f"stopped: {stopped}") from stopped
        self._tell(outcome, deliveries)

    async def _settle(self, reads: Sequence[Read]) -> Counter[str]:
        """Apply the batch at once, else one by one: what fails is put aside."""
        try:
            return await self._attempt(reads, isolate=False)
        except (Fenced, Stopped):
            raise
        except Exception as error:
            if is_transient(error):
                raise
            log.info("isolating a failure", group=self.group, error=str(error))
        return await self._attempt(reads, isolate=True)

    async def _attempt(self, reads: Sequence[Read], *, isolate: bool) -> Counter[str]:
        """Run the batch in one transaction, all at once or with a savepoint per event."""
        tenants = sorted({r.delivery.tenant for r in reads if isinstance(r, Readable)})
        async with self.database.batch(tenants) as unit:
            reached("batch.opened")
            work = await self._sort(unit, reads)
            reached("batch.claimed")
            if isolate:
                await self._one_by_one(unit, work)
            else:
                await self._react(unit, [item.delivery for item in work.todo])
                work.applied(work.todo)
            reached("batch.reacted")
            if work.halted or work.failures:
                await halts.judge(unit, self.group, self.limit, work)
            if work.asides:
                await parked.put_aside(unit, self.group, work.asides)
            if not await ledger.move(unit.connection, self.group, work.moves):
                raise Fenced
            reached("batch.moved")
        reached("batch.committed")
        return work.counts

    async def _sort(self, unit: SqlUnit, reads: Sequence[Read]) -> Work:
        """Put aside what must not be applied now; what is to be applied, in log order."""
        work = Work.over(reads, self._expected)
        readable = [item.delivery for item in reads if isinstance(item, Readable)]
        fresh, troubled = await ledger.claim(
            unit.connection, self.group, [delivery.event_id for delivery in readable]
        )
        waiting: set[str] = set()
        if troubled:
            keys = {delivery.key for delivery in readable}
            waiting, work.halted = await parked.keys_waiting(unit.connection, self.group, keys)
        todo = work.todo
        for item in reads:
            if isinstance(item, Ignored):
                work.count(item, "ignored")
            elif isinstance(item, Unreadable):
                failure = Failure(item.cause)
                work.put_aside(item, Aside(item.record, None, failure, "dead", attempts=1))
            elif fresh is not None and item.delivery.event_id not in fresh:
                work.count(item, self._known_as(item))
            else:
                if fresh is not None:
                    fresh.discard(item.delivery.event_id)
                if item.delivery.key in waiting:
                    work.wait(item)
                else:
                    todo.append(item)
        return work

    def _known_as(self, item: Readable) -> str:
        """Tell the version before of what was applied from a repetition."""
        older = self._older and type_of(item.record) in self._older
        return "ignored" if older else "duplicate"

    async def _one_by_one(self, unit: SqlUnit, work: Work) -> None:
        waiting: set[str] = set()
        for item in work.todo:
            if item.delivery.key in waiting:
                work.wait(item)
                continue
            error = await self.try_one(unit, item.delivery)
            if error is None:
                work.applied([item])
            else:
                waiting.add(item.delivery.key)
                work.put_aside(item, self._failed(unit, item, error))

    async def try_one(self, unit: SqlUnit, delivery: Delivery[Fact]) -> BaseException | None:
        """Apply one delivery in a savepoint; give what went wrong. Raises what is transient."""
        try:
            async with self.database.savepoint(unit) as part:
                await self._react(part, [delivery])
        except Exception as error:
            if is_transient(error):
                raise
            return error
        return None

    async def _react(self, unit: SqlUnit, deliveries: Sequence[Delivery[Fact]]) -> None:
        for reaction in self.reactions:
            mine = [delivery for delivery in deliveries if isinstance(delivery.fact, reaction.on)]
            if mine:
                await reaction.effect(unit, mine)

    def _failed(self, unit: SqlUnit, item: Readable, error: BaseException) -> Aside:
        """Park an event that failed, or bury it at once when trying again cannot help."""
        failure = Failure.of(error)
        if isinstance(error, Invalid) or self.retry.attempts <= 1:
            return Aside(item.record, item.delivery, failure, "dead", attempts=1)
        due = parked.next_try(self.retry, 1, unit.now)
        return Aside(item.record, item.delivery, failure, "parked", attempts=1, next_try=due)

    def _tell(self, outcome: Counter[str], deliveries: Sequence[Delivery[Fact]]) -> None:
        for name, number in outcome.items():
            self._count(name, number)
        done: datetime = self.clock()
        seconds = [(done - delivery.recorded).total_seconds() for delivery in deliveries]
        self.telemetry.observe("preau.event.end_to_end.duration", *seconds, group=self.group)

    def _count(self, outcome: str, number: int) -> None:
        self.telemetry.count("preau.consumer.outcome", number, group=self.group, outcome=outcome)
