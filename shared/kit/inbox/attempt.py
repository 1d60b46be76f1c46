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
from shared.kit.inbox import circuit_breaker, ledger, parked, sequences
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
    """Another consumer of the group has applied this batch, or is applying it."""


@dataclass(frozen=True)
class BatchAttempt:
    """Applies a prepared batch of a consumer group in one transaction.

    `older_types` are the wire types of earlier versions of the declared events.
    """

    group: str
    database: Database
    reactions: Sequence[AnyBoundReaction]
    retry_policy: RetryPolicy
    failure_threshold: FailureThreshold
    older_types: frozenset[str]
    preparation: Preparation
    retry_limits: RetryLimits
    telemetry: Telemetry

    async def apply_in_transaction(
        self,
        records: Sequence[DecodedRecord],
        expected: Mapping[Partition, int],
        *,
        isolate: bool,
    ) -> Counter[str]:
        """Apply the batch in one transaction; with `isolate`, with a savepoint per event.

        Returns the number of records by outcome. Raises `Fenced`, `CircuitOpen`, and the error of
        a reaction.
        """
        tenants = sorted({r.delivery.tenant for r in records if isinstance(r, Decoded)})
        async with self.database.unit_for(tenants) as unit:
            hit_failpoint("batch.opened")
            outcome = await self._classify(unit, records, expected)
            hit_failpoint("batch.claimed")
            if isolate or self.preparation.failures:
                await self._apply_one_by_one(unit, outcome)
            else:
                await self._run_reactions(unit, [item.delivery for item in outcome.to_apply])
                outcome.count_applied(outcome.to_apply)
            hit_failpoint("batch.reacted")
            if outcome.circuit_open or outcome.failures:
                await circuit_breaker.check_batch(unit, self.group, self.failure_threshold, outcome)
            if outcome.parked_records:
                await parked.park(unit, self.group, outcome.parked_records)
            if not await ledger.move_positions(unit.connection, self.group, outcome.moves):
                raise Fenced
            hit_failpoint("batch.moved")
        hit_failpoint("batch.committed")
        self._report_rejected(outcome)
        return outcome.counts

    async def _classify(
        self, unit: SqlUnit, records: Sequence[DecodedRecord], expected: Mapping[Partition, int]
    ) -> BatchOutcome:
        """Split the records into events to apply (in log order), parked and counted ones."""
        outcome = BatchOutcome.for_batch(records, expected)
        deliveries = [item.delivery for item in records if isinstance(item, Decoded)]
        new_ids, has_parked_or_open = await ledger.claim_events(
            unit.connection, self.group, [delivery.event_id for delivery in deliveries]
        )
        blocked_keys: set[str] = set()
        if has_parked_or_open:
            keys = {delivery.key for delivery in deliveries}
            blocked_keys, outcome.circuit_open = await parked.find_blocked_keys(
                unit.connection, self.group, keys
            )
        tracker = await sequences.load(unit.connection, self.group, records)
        for item in records:
            if isinstance(item, Decoded) and (new_ids is None or item.delivery.event_id in new_ids):
                if new_ids is not None:
                    new_ids.discard(item.delivery.event_id)
                _classify_new(outcome, item, blocked_keys, tracker)
            else:
                self._count_without_effect(outcome, item)
                _skip_sequence(tracker, item)
        if tracker is not None:
            await sequences.store(unit.connection, self.group, tracker)
            if tracker.adopted:
                log.warning("sequences adopted", group=self.group, keys=tracker.adopted)
        return outcome

    def _report_rejected(self, outcome: BatchOutcome) -> None:
        """Log and count the records whose sequence or source was rejected."""
        for parked_record in outcome.failures:
            failure = parked_record.failure
            if failure is not None and failure.cause.startswith(REFUSED):
                record = parked_record.record
                topic = record.partition.topic
                position = f"{topic}/{record.partition.number}/{record.offset}"
                log.error("refused", group=self.group, place=position, cause=failure.cause)
                self.telemetry.count("preau.consumer.refused", group=self.group, topic=topic)

    def _count_without_effect(self, outcome: BatchOutcome, item: DecodedRecord) -> None:
        """Count duplicates and ignored records; reject unreadable ones."""
        if isinstance(item, Ignored):
            outcome.count(item, "ignored")
        elif isinstance(item, Unreadable):
            outcome.reject(item, item.cause)
        else:
            # An earlier version of an applied event has the same id, but is no duplicate.
            older = self.older_types and wire_type_of(item.record) in self.older_types
            outcome.count(item, "ignored" if older else "duplicate")

    async def _apply_one_by_one(self, unit: SqlUnit, outcome: BatchOutcome) -> None:
        blocked_keys: set[str] = set()
        for item in outcome.to_apply:
            if item.delivery.key in blocked_keys:
                outcome.block(item)
                continue
            error = await self.apply_in_savepoint(unit, item.delivery)
            if error is None:
                outcome.count_applied([item])
            else:
                blocked_keys.add(item.delivery.key)
                outcome.park(item, self._to_parked_record(unit, item, error))

    async def apply_in_savepoint(
        self, unit: SqlUnit, delivery: Delivery[Fact]
    ) -> BaseException | None:
        """Apply a delivery in a savepoint; return its error, None if applied.

        Raises transient errors.
        """
        failure = self.preparation.failures.get(record_offset(delivery))
        if failure is not None:
            return failure
        try:
            async with self.database.savepoint(unit) as nested_unit:
                await self._run_reactions(nested_unit, [delivery])
        except Exception as error:
            if is_transient(error):
                raise
            return error
        return None

    async def _run_reactions(self, unit: SqlUnit, deliveries: Sequence[Delivery[Fact]]) -> None:
        for reaction in self.reactions:
            matching = [d for d in deliveries if isinstance(d.fact, reaction.on)]
            if not matching:
                continue
            started_at = time.monotonic()
            if isinstance(reaction, BoundReaction):
                await reaction.effect(unit, matching)
            else:
                await reaction.effect(unit, self.preparation.attach_values(reaction, matching))
            self._report_if_slow(reaction, len(matching), time.monotonic() - started_at)

    def _report_if_slow(self, reaction: AnyBoundReaction, events: int, seconds: float) -> None:
        if seconds > self.retry_limits.slow_effect_seconds:
            group, name = self.group, reaction.name
            log.warning(
                "slow effect", group=group, reaction=name, events=events, seconds=round(seconds, 3)
            )
            self.telemetry.count("preau.consumer.slow_effect", group=group, reaction=name)

    def _to_parked_record(self, unit: SqlUnit, item: Decoded, error: BaseException) -> ParkedRecord:
        """Describe a failed event: parked, or dead at once if a retry cannot succeed."""
        failure = Failure.from_exception(error)
        if isinstance(error, Invalid) or self.retry_policy.max_attempts <= 1:
            return ParkedRecord(item.record, item.delivery, failure, "dead", attempts=1)
        next_try = parked.next_attempt_at(self.retry_policy, 1, unit.now)
        return ParkedRecord(
            item.record, item.delivery, failure, "parked", attempts=1, next_try=next_try
        )


def _classify_new(
    outcome: BatchOutcome,
    item: Decoded,
    blocked_keys: set[str],
    tracker: SequenceTracker | None,
) -> None:
    link = sequences.get_link(item) if tracker is not None else None
    cause = None
    if tracker is not None and link is not None:
        cause = tracker.accept(item.record.partition, link)
    if cause is not None:
        outcome.reject(item, cause)
    elif item.delivery.key in blocked_keys:
        outcome.block(item)
    else:
        outcome.to_apply.append(item)


def _skip_sequence(tracker: SequenceTracker | None, item: DecodedRecord) -> None:
    link = sequences.get_link(item) if tracker is not None else None
    if tracker is not None and link is not None:
        tracker.skip(item.record.partition, link)
