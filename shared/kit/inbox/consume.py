"""Apply a batch: decode, deduplicate and react in one transaction, then move the positions.

When one event of a batch fails for good reason, the batch is run again with a savepoint per event,
which leaves the bad one alone; what is transient makes the whole batch wait.
"""

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
from shared.kit.inbox import ledger, parked
from shared.kit.inbox.decode import Ignored, Read, Readable, Unreadable, read, wanted_by
from shared.kit.inbox.parked import Failure, Retry
from shared.kit.service import BoundReaction
from shared.kit.telemetry.logs import logger
from shared.kit.telemetry.messaging import process_span
from shared.kit.unit import Clock, Delivery

log = logger("inbox")
TRANSIENT_PAUSE = 1.0
MASS_FAILURE_PAUSE = 30.0


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
    failures_allowed: int = 20
    halted: str | None = None
    _expected: dict[Partition, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        facts = tuple({fact for reaction in self.reactions for fact in reaction.on})
        self.wanted: Mapping[str, type[Fact]] = wanted_by(facts)
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

    async def revoked(self, partitions: Sequence[Partition]) -> None:
        """Forget where those stood."""
        for place in partitions:
            self._expected.pop(place, None)

    async def handle(self, batch: Sequence[Incoming]) -> Mapping[Partition, int]:
        """Apply the batch; see `bus.port.Consumer.handle`."""
        reached("batch.polled")
        places = {record.partition for record in batch}
        new = [r for r in batch if r.offset >= self._expected.get(r.partition, 0)]
        reads = [read(record, self.wanted, self.clock()) for record in new]
        try:
            await self._apply(reads)
        except Fenced:
            return await self.assigned(sorted(places, key=lambda p: (p.topic, p.number)))
        except Redeliver:
            raise
        except Exception as error:
            if is_transient(error):
                log.warning("batch will be tried again", group=self.group, error=str(error))
                raise Redeliver(TRANSIENT_PAUSE, str(error)) from error
            raise
        for record in new:
            self._expected[record.partition] = record.offset + 1
        return {place: self._expected[place] for place in places}

    async def _apply(self, reads: Sequence[Read]) -> None:
        if not reads:
            return
        deliveries = [item.delivery for item in reads if isinstance(item, Readable)]
        with process_span(self.telemetry, self.group, deliveries, self.clock()):
            try:
                outcome = await self._attempt(reads, isolate=False)
            except (Fenced, Redeliver):
                raise
            except Exception as error:
                if is_transient(error):
                    raise
                log.info("isolating a failure", group=self.group, error=str(error))
                outcome = await self._attempt(reads, isolate=True)
        self._tell(outcome, deliveries)

    async def _attempt(self, reads: Sequence[Read], *, isolate: bool) -> Counter[str]:
        """Run the batch in one transaction, all at once or with a savepoint per event."""
        tenants = sorted({r.delivery.tenant for r in reads if isinstance(r, Readable)})
        moves: dict[Partition, ledger.Move] = {}
        async with self.database.batch(tenants) as unit:
            reached("batch.opened")
            todo = await self._sort(unit, reads, moves)
            reached("batch.claimed")
            failed = 0
            if isolate:
                failed = await self._one_by_one(unit, todo, moves)
            else:
                await self._react(unit, [item.delivery for item in todo])
                for item in todo:
                    moves[item.record.partition].counts["applied"] += 1
            reached("batch.reacted")
            if failed > self.failures_allowed and failed * 2 > len(todo):
                self.halted = f"{failed} of {len(todo)} events failed at once"
                raise Redeliver(MASS_FAILURE_PAUSE, self.halted)
            self.halted = None
            if not await ledger.move(unit.connection, self.group, moves):
                raise Fenced
            reached("batch.moved")
        reached("batch.committed")
        return sum((m.counts for m in moves.values()), Counter())

    async def _sort(
        self, unit: SqlUnit, reads: Sequence[Read], moves: dict[Partition, ledger.Move]
    ) -> list[Readable]:
        """Put aside what must not be applied now; give what is to be applied, in log order."""
        for item in reads:
            place = item.record.partition
            move = moves.setdefault(place, ledger.Move(self._expected[place], 0))
            move.next = item.record.offset + 1
        readable = [item for item in reads if isinstance(item, Readable)]
        fresh = await ledger.claim(
            unit.connection, self.group, [item.delivery.event_id for item in readable]
        )
        waiting = await parked.keys_waiting(
            unit.connection, self.group, [item.delivery.key for item in readable]
        )
        todo: list[Readable] = []
        for item in reads:
            counts = moves[item.record.partition].counts
            if isinstance(item, Ignored):
                counts["ignored"] += 1
            elif isinstance(item, Unreadable):
                counts["dead_lettered"] += 1
                await self._bury(unit, item.record, None, Failure(item.cause), attempts=1)
            elif item.delivery.event_id not in fresh:
                counts["duplicate"] += 1
            elif item.delivery.key in waiting:
                fresh.discard(item.delivery.event_id)
                counts["parked"] += 1
                await self._park_behind(unit, item)
            else:
                fresh.discard(item.delivery.event_id)
                todo.append(item)
        return todo

    async def _one_by_one(
        self, unit: SqlUnit, todo: Sequence[Readable], moves: Mapping[Partition, ledger.Move]
    ) -> int:
        waiting: set[str] = set()
        failed = 0
        for item in todo:
            counts = moves[item.record.partition].counts
            if item.delivery.key in waiting:
                counts["parked"] += 1
                await self._park_behind(unit, item)
                continue
            failure = await self.try_one(unit, item.delivery)
            if failure is None:
                counts["applied"] += 1
                continue
            failed += 1
            waiting.add(item.delivery.key)
            counts[await self._put_aside(unit, item, failure)] += 1
        return failed

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

    async def _put_aside(self, unit: SqlUnit, item: Readable, error: BaseException) -> str:
        """Park an event that failed, or bury it at once when trying again cannot help."""
        failure = Failure.of(error)
        if isinstance(error, Invalid) or self.retry.attempts <= 1:
            await self._bury(unit, item.record, item.delivery, failure, attempts=1)
            return "dead_lettered"
        due = parked.next_try(self.retry, 1, unit.now)
        await parked.park(
            unit,
            self.group,
            item.record,
            item.delivery,
            state="parked",
            attempts=1,
            next_try=due,
            cause=failure.cause,
            stack=failure.stack,
        )
        return "parked"

    async def _park_behind(self, unit: SqlUnit, item: Readable) -> None:
        await parked.park(unit, self.group, item.record, item.delivery, state="parked")

    async def _bury(
        self,
        unit: SqlUnit,
        record: Incoming,
        delivery: Delivery[Fact] | None,
        failure: Failure,
        *,
        attempts: int,
    ) -> None:
        await parked.park(
            unit,
            self.group,
            record,
            delivery,
            state="dead",
            attempts=attempts,
            cause=failure.cause,
            stack=failure.stack,
        )
        parked.bury(unit, self.group, record, delivery, failure, attempts)

    def _tell(self, outcome: Counter[str], deliveries: Sequence[Delivery[Fact]]) -> None:
        for name, number in outcome.items():
            self.telemetry.count("preau.consumer.outcome", number, group=self.group, outcome=name)
        done: datetime = self.clock()
        for delivery in deliveries:
            seconds = (done - delivery.recorded).total_seconds()
            self.telemetry.observe("preau.event.end_to_end.duration", seconds, group=self.group)
