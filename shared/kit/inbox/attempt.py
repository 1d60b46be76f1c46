"""One attempt at a batch: one transaction in which it is claimed, applied and counted."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.contracts.event import Fact
from shared.kit.core.bus import Partition
from shared.kit.core.errors import Invalid
from shared.kit.core.failpoints import hit_failpoint
from shared.kit.core.host import Telemetry
from shared.kit.core.reactions import AnyBoundReaction, BoundReaction
from shared.kit.core.unit_of_work import Delivery
from shared.kit.database.database import Database, SqlUnit, is_transient
from shared.kit.inbox import circuit_breaker as halts
from shared.kit.inbox import ledger, parked, sequences
from shared.kit.inbox.batch import BatchOutcome
from shared.kit.inbox.decode import Decoded, DecodedRecord, Ignored, Unreadable, wire_type_of
from shared.kit.inbox.parked import Failure, ParkedRecord, RetryPolicy
from shared.kit.inbox.preparation import Preparation, record_offset
from shared.kit.inbox.retry_limits import RetryLimits
from shared.kit.inbox.sequences import REFUSED, SequenceTracker
from shared.kit.inbox.thresholds import FailureThreshold
from shared.kit.telemetry.logs import get_logger

log = get_logger("inbox")


class Fenced(Exception):
    """This batch was applied, or is being applied, by another reader of the group."""


@dataclass(frozen=True)
class BatchAttempt:
    """How a group applies a batch whose `preparation` is done. `older` are versions before."""

    group: str
    database: Database
    reactions: Sequence[AnyBoundReaction]
    retry_policy: RetryPolicy
    failure_threshold: FailureThreshold
    older_types: frozenset[str]
    preparation: Preparation
    retry_limits: RetryLimits
    telemetry: Telemetry

    async def run(
        self, reads: Sequence[DecodedRecord], expected: Mapping[Partition, int], *, isolate: bool
    ) -> Counter[str]:
        """Apply the batch in one transaction, all at once or with a savepoint per event.

        Raises `Fenced`, `halts.CircuitOpen`, and whatever a reaction raises.
        """
        tenants = sorted({r.delivery.tenant for r in reads if isinstance(r, Decoded)})
        async with self.database.unit_for(tenants) as unit:
            hit_failpoint("batch.opened")
            work = await self._sort(unit, reads, expected)
            hit_failpoint("batch.claimed")
            if isolate or self.preparation.failures:
                await self._one_by_one(unit, work)
            else:
                await self._react(unit, [item.delivery for item in work.to_apply])
                work.count_applied(work.to_apply)
            hit_failpoint("batch.reacted")
            if work.circuit_open or work.failures:
                await halts.check_batch(unit, self.group, self.failure_threshold, work)
            if work.parked_records:
                await parked.park(unit, self.group, work.parked_records)
            if not await ledger.move_positions(unit.connection, self.group, work.moves):
                raise Fenced
            hit_failpoint("batch.moved")
        hit_failpoint("batch.committed")
        self._tell_of_refused(work)
        return work.counts

    async def _sort(
        self, unit: SqlUnit, reads: Sequence[DecodedRecord], expected: Mapping[Partition, int]
    ) -> BatchOutcome:
        """Put aside what must not be applied now; what is to be applied, in log order."""
        work = BatchOutcome.for_batch(reads, expected)
        readable = [item.delivery for item in reads if isinstance(item, Decoded)]
        fresh, troubled = await ledger.claim_events(
            unit.connection, self.group, [delivery.event_id for delivery in readable]
        )
        waiting: set[str] = set()
        if troubled:
            keys = {delivery.key for delivery in readable}
            waiting, work.circuit_open = await parked.find_blocked_keys(
                unit.connection, self.group, keys
            )
        chains = await sequences.load(unit.connection, self.group, reads)
        for item in reads:
            if isinstance(item, Decoded) and (fresh is None or item.delivery.event_id in fresh):
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

    def _tell_of_refused(self, work: BatchOutcome) -> None:
        for aside in work.failures:
            if aside.failure is not None and aside.failure.cause.startswith(REFUSED):
                topic, offset = aside.record.partition.topic, aside.record.offset
                place = f"{topic}/{aside.record.partition.number}/{offset}"
                log.error("refused", group=self.group, place=place, cause=aside.failure.cause)
                self.telemetry.count("preau.consumer.refused", group=self.group, topic=topic)

    def _sort_known(self, work: BatchOutcome, item: DecodedRecord) -> None:
        """Count what has no effect: repetitions, and what is not for this group."""
        if isinstance(item, Ignored):
            work.count(item, "ignored")
        elif isinstance(item, Unreadable):
            work.reject(item, item.cause)
        else:
            # The version before of what was applied is no repetition.
            older = self.older_types and wire_type_of(item.record) in self.older_types
            work.count(item, "ignored" if older else "duplicate")

    async def _one_by_one(self, unit: SqlUnit, work: BatchOutcome) -> None:
        waiting: set[str] = set()
        for item in work.to_apply:
            if item.delivery.key in waiting:
                work.block(item)
                continue
            error = await self.apply_in_savepoint(unit, item.delivery)
            if error is None:
                work.count_applied([item])
            else:
                waiting.add(item.delivery.key)
                work.park(item, self._failed(unit, item, error))

    async def apply_in_savepoint(
        self, unit: SqlUnit, delivery: Delivery[Fact]
    ) -> BaseException | None:
        """Apply one delivery in a savepoint; give what went wrong. Raises what is transient."""
        failure = self.preparation.failures.get(record_offset(delivery))
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
                await reaction.effect(unit, self.preparation.attach_values(reaction, mine))
            self._tell_if_slow(reaction, len(mine), time.monotonic() - began)

    def _tell_if_slow(self, reaction: AnyBoundReaction, events: int, seconds: float) -> None:
        if seconds > self.retry_limits.slow_effect_seconds:
            group, name = self.group, reaction.name
            log.warning(
                "slow effect", group=group, reaction=name, events=events, seconds=round(seconds, 3)
            )
            self.telemetry.count("preau.consumer.slow_effect", group=group, reaction=name)

    def _failed(self, unit: SqlUnit, item: Decoded, error: BaseException) -> ParkedRecord:
        """Park an event that failed, or bury it at once when trying again cannot help."""
        failure = Failure.from_exception(error)
        if isinstance(error, Invalid) or self.retry_policy.max_attempts <= 1:
            return ParkedRecord(item.record, item.delivery, failure, "dead", attempts=1)
        due = parked.next_attempt_at(self.retry_policy, 1, unit.now)
        return ParkedRecord(item.record, item.delivery, failure, "parked", attempts=1, next_try=due)


def _sort_new(
    work: BatchOutcome, item: Decoded, waiting: set[str], chains: SequenceTracker | None
) -> None:
    link = sequences.get_link(item) if chains is not None else None
    cause = None
    if chains is not None and link is not None:
        cause = chains.accept(item.record.partition, link)
    if cause is not None:
        work.reject(item, cause)
    elif item.delivery.key in waiting:
        work.block(item)
    else:
        work.to_apply.append(item)


def _pass_by(chains: SequenceTracker | None, item: DecodedRecord) -> None:
    link = sequences.get_link(item) if chains is not None else None
    if chains is not None and link is not None:
        chains.skip(item.record.partition, link)
