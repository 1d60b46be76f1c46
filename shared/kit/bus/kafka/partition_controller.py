"""What a reader may do when: where it starts, what it hands over, what it commits, when it waits.

One lock (`_turn`) is held while a batch is in hand, while the consumer is asked where to start,
and while partitions are taken away.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Protocol

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from shared.kit.bus.kafka.commits import OffsetCommitter
from shared.kit.bus.kafka.conversions import to_incoming_record, to_partitions, to_topic_partition
from shared.kit.bus.kafka.prefetch import EMPTY, BatchRecords, FetchedRecords, PolledBatch, Prefetch
from shared.kit.core.adaptive_pause import AdaptivePause
from shared.kit.core.bus import IncomingRecord, Partition, Redeliver, SubscriptionConfig
from shared.kit.telemetry.logs import get_logger

log = get_logger("kafka")

# Seconds: an idle poll; and until the next try when something failed without a wish of its own.
IDLE_POLL_SECONDS = 0.1
RETRY_SECONDS = 1.0


class Fetch(Protocol):
    """The client's poll."""

    def __call__(self, *, timeout_ms: int) -> Awaitable[FetchedRecords]: ...


class PartitionController(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """The state of one reader."""

    def __init__(self, reading: SubscriptionConfig) -> None:
        self._reading = reading
        self._commits = OffsetCommitter(reading.group, reading.commit_interval_seconds)
        self._turn = asyncio.Lock()
        self._ahead = Prefetch()
        self._glance = EMPTY
        self._pace = AdaptivePause()
        # Ours: those whose start is not yet known, and those that may be handed over.
        self._unplaced: set[Partition] = set()
        self._placed: set[Partition] = set()
        self._paused: dict[Partition, float] = {}
        # How often partitions were taken away.
        self._generation = 0
        self._ask_after = 0.0
        self._last_poll = self._last_turn = time.monotonic()
        self._rebalancing = True
        self._stopping = False

    def attach(self, consumer: AIOKafkaConsumer) -> None:
        """Learn whose rules these are."""
        self._consumer = consumer
        self._commits.attach(consumer)

    # --- Polling ----------------------------------------------------------------------------

    async def poll(self, fetch: Fetch) -> FetchedRecords:
        """Do what is due, then fetch."""
        try:
            async with self._turn:
                await self._place()
                self._resume_due()
            self._commits.commit_if_due()
            self._fetch = fetch
            self._glance = await self._next()
        except KafkaError as error:
            # FastStream would sleep five seconds.
            log.warning("poll failed", group=self._reading.group, error=repr(error))
            await asyncio.sleep(RETRY_SECONDS)
            self._last_turn = time.monotonic()
            return {}
        self._last_poll = self._last_turn = time.monotonic()
        return self._glance.records_by_partition

    async def _next(self) -> PolledBatch:
        """Return what was seen ahead, or look now."""
        seen, starts = await self._ahead.take(self._generation)
        for place, offset in starts.items():
            self._seek(place, offset)
        if seen.records:
            return seen
        await self._pace.sleep()
        return await self._look()

    async def _look(self) -> PolledBatch:
        found = await self._fetch(timeout_ms=self._patience())
        generation = self._generation
        glance = PolledBatch(
            found, tuple(map(to_incoming_record, chain(*found.values()))), generation
        )
        if glance.records:
            try:
                await self._reading.consumer.prepare(glance.records)
            except Exception:
                # Raised from a poll, it would lose the batch. What failed, fails again in `handle`.
                log.exception("not prepared", group=self._reading.group)
        return glance

    async def _place(self) -> None:
        """Ask where to start. Not in the callback: the group hears no heartbeat meanwhile."""
        if not self._unplaced or time.monotonic() < self._ask_after:
            return
        asked = sorted(self._unplaced, key=_order)
        try:
            starts = await self._reading.consumer.on_assigned(asked)
        except Exception as error:  # noqa: BLE001  whatever the consumer raises, it is asked again
            log.warning("no start yet", group=self._reading.group, error=repr(error))
            self._ask_after = time.monotonic() + RETRY_SECONDS
            return
        begun = {place: starts[place] for place in asked if place in starts}
        self._rewind(begun)
        self._unplaced.clear()
        self._placed.update(asked)
        self._resume(place for place in asked if place not in self._paused)

    def _resume_due(self) -> None:
        now = time.monotonic()
        due = [place for place, until in self._paused.items() if until <= now]
        for place in due:
            del self._paused[place]
        self._resume(place for place in due if place in self._placed)

    def _patience(self) -> int:
        """Return how long an empty poll waits, in milliseconds: until the next thing is due."""
        now = time.monotonic()
        waits = [
            IDLE_POLL_SECONDS,
            self._commits.seconds_until_due(),
            *(until - now for until in self._paused.values()),
        ]
        if self._unplaced:
            waits.append(self._ask_after - now)
        return max(1, int(min(waits) * 1000))

    # --- Handing over -----------------------------------------------------------------------

    async def on_batch(self, records: BatchRecords) -> None:
        """Hand a batch over. Trap: what this raised, FastStream would swallow, and lose it."""
        async with self._turn:
            glance = self._glance
            if not glance.matches(records):
                glance = PolledBatch.from_records(records, glance.generation)
            first, last = glance.first_offsets(), glance.last_offsets()
            if glance.generation != self._generation:
                # Taken away after the poll; whoever has them now starts where it should.
                return
            if self._stopping or not first.keys() <= self._placed:
                # Fetched before the consumer could say where to start: not skipped, only dropped.
                self._rewind(first)
                return
            if len(records) >= self._reading.max_batch_records:
                self._ahead.start(self._look)
            with self._pace.measure():
                await self._hand_over(glance.records, first, last)

    async def _hand_over(
        self,
        batch: Sequence[IncomingRecord],
        first: Mapping[Partition, int],
        last: Mapping[Partition, int],
    ) -> None:
        try:
            # A copy, made here: an answer that is none fails like any other handler.
            answer = dict(await self._reading.consumer.handle(batch))
        except Redeliver as wish:
            log.info("batch comes again", group=self._reading.group, reason=str(wish))
            self._again(first, wish.pause_seconds)
        except Exception:
            log.exception("batch failed", group=self._reading.group)
            self._again(first, RETRY_SECONDS)
        except BaseException:
            # Cancelled by `stop`: not answered, so the next reader gets it.
            self._rewind(first)
            raise
        else:
            known = {place: offset for place, offset in answer.items() if place in last}
            self._commits.add(known)
            self._rewind({p: at for p, at in known.items() if at != last[p] + 1})
            self._again({p: at for p, at in first.items() if p not in known}, RETRY_SECONDS)

    def _again(self, first: Mapping[Partition, int], pause: float) -> None:
        """Trap: the next commit would skip a failed batch; so go back to its beginning."""
        self._rewind(first)
        until = time.monotonic() + pause
        for place in first:
            self._paused[place] = until
            self._if_ours(self._consumer.pause, place)

    def _rewind(self, starts: Mapping[Partition, int]) -> None:
        self._ahead.invalidate(starts)
        for place, offset in starts.items():
            self._seek(place, offset)

    def _seek(self, place: Partition, offset: int) -> None:
        self._if_ours(lambda own: self._consumer.seek(own, offset), place)

    def _resume(self, places: Iterable[Partition]) -> None:
        for place in places:
            self._if_ours(self._consumer.resume, place)

    def _if_ours(self, act: Callable[[TopicPartition], object], place: Partition) -> None:
        try:
            act(to_topic_partition(place))
        except IllegalStateError:
            # The group took it away a moment ago; its new owner does what is needed.
            log.info("partition is gone", group=self._reading.group, partition=str(place))

    # --- Rebalancing ------------------------------------------------------------------------

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Trap: aiokafka takes them at once, in the middle of a batch; it waits here instead."""
        self._rebalancing = True
        async with self._turn:
            await self._let_go()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Hold everything back until the consumer has said where to start.

        Trap: a pause is forgotten with each rebalance; ours are kept, and come back in `_place`.
        """
        places = to_partitions(assigned)
        self._unplaced = set(places)
        self._ask_after = 0.0
        self._paused = {p: until for p, until in self._paused.items() if p in self._unplaced}
        self._consumer.pause(*assigned)
        self._rebalancing = False

    async def _let_go(self) -> None:
        self._generation += 1
        self._ahead.clear_invalidations()
        await self._commits.flush()
        held = sorted(self._placed | self._unplaced, key=_order)
        self._placed.clear()
        self._unplaced.clear()
        if held:
            try:
                await self._reading.consumer.on_revoked(held)
            except Exception:
                log.exception("revocation failed", group=self._reading.group)

    # --- Ending -----------------------------------------------------------------------------

    async def drain(self) -> None:
        """Hand over nothing more, and wait for the batch in hand, but not for ever."""
        self._stopping = True
        try:
            async with asyncio.timeout(self._reading.drain_timeout_seconds):
                async with self._turn:
                    return
        except TimeoutError:
            log.warning("batch cancelled", group=self._reading.group)

    async def release(self) -> None:
        """Commit what was answered, and tell the consumer that all is over."""
        await self._ahead.cancel()
        async with self._turn:
            await self._let_go()

    def is_polling(self) -> bool:
        """Return whether it still turns; a rebalance may wait for another one's batch.

        A poll that failed counts: starting anew does not bring a broker back.
        """
        limit = self._reading.max_poll_interval_seconds * (2 if self._rebalancing else 1)
        return time.monotonic() - self._last_turn < limit

    @property
    def last_poll_age(self) -> float:
        """Seconds since the last poll that did not fail."""
        return time.monotonic() - self._last_poll


def _order(place: Partition) -> tuple[str, int]:
    return place.topic, place.number
