"""One attempt at a batch: one transaction in which it is claimed, applied and counted."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.contracts.event import Fact
from shared.kit.core.bus import Partition
from shared.kit.core.errors import Invalid
from shared.kit.core.failpoints import reached
from shared.kit.core.host import Telemetry
from shared.kit.core.reactions import Bound, BoundReaction
from shared.kit.core.unit_of_work import Delivery
from shared.kit.database.database import Database, SqlUnit, is_transient
from shared.kit.inbox import circuit_breaker as halts
from shared.kit.inbox import ledger, parked, sequences
from shared.kit.inbox.batch import Work
from shared.kit.inbox.decode import Ignored, Read, Readable, Unreadable, type_of
from shared.kit.inbox.parked import Aside, Failure, Retry
from shared.kit.inbox.preparation import Preparation, offset_of
from shared.kit.inbox.retry_limits import Patience
from shared.kit.inbox.sequences import REFUSED, Chains
from shared.kit.inbox.thresholds import Limit
from shared.kit.telemetry.logs import logger

log = logger("inbox")


class Fenced(Exception):
    """This batch was applied, or is being applied, by another reader of the group."""


@dataclass(frozen=True)
class Attempt:
    """How a group applies a batch whose `preparation` is done. `older` are versions before."""

    group: str
    database: Database
    reactions: Sequence[Bound]
    retry: Retry
    limit: Limit
    older: frozenset[str]
    preparation: Preparation
    patience: Patience
    telemetry: Telemetry

    async def run(
        self, reads: Sequence[Read], expected: Mapping[Partition, int], *, isolate: bool
    ) -> Counter[str]:
        """Apply the batch in one transaction, all at once or with a savepoint per event.

        Raises `Fenced`, `halts.Stopped`, and whatever a reaction raises.
        """
        tenants = sorted({r.delivery.tenant for r in reads if isinstance(r, Readable)})
        async with self.database.batch(tenants) as unit:
            reached("batch.opened")
            work = await self._sort(unit, reads, expected)
            reached("batch.claimed")
            if isolate or self.preparation.failures:
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
        self._tell_of_refused(work)
        return work.counts

    async def _sort(
        self, unit: SqlUnit, reads: Sequence[Read], expected: Mapping[Partition, int]
    ) -> Work:
        """Put aside what must not be applied now; what is to be applied, in log order."""
        work = Work.over(reads, expected)
        readable = [item.delivery for item in reads if isinstance(item, Readable)]
        fresh, troubled = await ledger.claim(
            unit.connection, self.group, [delivery.event_id for delivery in readable]
        )
        waiting: set[str] = set()
        if troubled:
            keys = {delivery.key for delivery in readable}
            waiting, work.halted = await parked.keys_waiting(unit.connection, self.group, keys)
        chains = await sequences.load(unit.connection, self.group, reads)
        for item in reads:
            if isinstance(item, Readable) and (fresh is None or item.delivery.event_id in fresh):
                if fresh is not None:
                    fresh.discard(item.delivery.event_id)
                _sort_new(work, item, waiting, chains)
            else:
                self._sort_known(work, item)
                _pass_by(chains, item)
        if chains is not None:
            await sequences.store(unit.connection, self.group, chains)
            if chains.adopted:
                log.warning("sequences adopted", group=self.group, keys=chains.adopted)
        return work

    def _tell_of_refused(self, work: Work) -> None:
        for aside in work.failures:
            if aside.failure is not None and aside.failure.cause.startswith(REFUSED):
                topic, offset = aside.record.partition.topic, aside.record.offset
                place = f"{topic}/{aside.record.partition.number}/{offset}"
                log.error("refused", group=self.group, place=place, cause=aside.failure.cause)
                self.telemetry.count("preau.consumer.refused", group=self.group, topic=topic)

    def _sort_known(self, work: Work, item: Read) -> None:
        """Count what has no effect: repetitions, and what is not for this group."""
        if isinstance(item, Ignored):
            work.count(item, "ignored")
        elif isinstance(item, Unreadable):
            work.refuse(item, item.cause)
        else:
            # The version before of what was applied is no repetition.
            older = self.older and type_of(item.record) in self.older
            work.count(item, "ignored" if older else "duplicate")

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
        failure = self.preparation.failures.get(offset_of(delivery))
        if failure is not None:
            return failure
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
            if not mine:
                continue
            began = time.monotonic()
            if isinstance(reaction, BoundReaction):
                await reaction.effect(unit, mine)
            else:
                await reaction.effect(unit, self.preparation.of(reaction, mine))
            self._tell_if_slow(reaction, len(mine), time.monotonic() - began)

    def _tell_if_slow(self, reaction: Bound, events: int, seconds: float) -> None:
        if seconds > self.patience.effect_seconds:
            group, name = self.group, reaction.name
            log.warning(
                "slow effect", group=group, reaction=name, events=events, seconds=round(seconds, 3)
            )
            self.telemetry.count("preau.consumer.slow_effect", group=group, reaction=name)

    def _failed(self, unit: SqlUnit, item: Readable, error: BaseException) -> Aside:
        """Park an event that failed, or bury it at once when trying again cannot help."""
        failure = Failure.of(error)
        if isinstance(error, Invalid) or self.retry.attempts <= 1:
            return Aside(item.record, item.delivery, failure, "dead", attempts=1)
        due = parked.next_try(self.retry, 1, unit.now)
        return Aside(item.record, item.delivery, failure, "parked", attempts=1, next_try=due)


def _sort_new(work: Work, item: Readable, waiting: set[str], chains: Chains | None) -> None:
    link = sequences.link_of(item) if chains is not None else None
    cause = None
    if chains is not None and link is not None:
        cause = chains.accept(item.record.partition, link)
    if cause is not None:
        work.refuse(item, cause)
    elif item.delivery.key in waiting:
        work.wait(item)
    else:
        work.todo.append(item)


def _pass_by(chains: Chains | None, item: Read) -> None:
    link = sequences.link_of(item) if chains is not None else None
    if chains is not None and link is not None:
        chains.pass_by(item.record.partition, link)
