"""Controls the partitions of one subscription: start offsets, delivery, commits and pauses.

`_lock` is held while a batch is processed, while the consumer is asked for start offsets, and while
partitions are revoked.
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

IDLE_POLL_SECONDS = 0.1
RETRY_SECONDS = 1.0
"""After a failure that does not name its own pause."""


class Fetch(Protocol):
    """The client's poll."""

    def __call__(self, *, timeout_ms: int) -> Awaitable[FetchedRecords]: ...


class PartitionController(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Polls, delivers batches to the consumer, and handles the rebalances of one subscription."""

    def __init__(self, config: SubscriptionConfig) -> None:
        self._config = config
        self._committer = OffsetCommitter(config.group, config.commit_interval_seconds)
        self._lock = asyncio.Lock()
        self._prefetch = Prefetch()
        self._batch = EMPTY
        self._pause = AdaptivePause()
        # The assigned partitions: start offset not yet known, and ready for delivery.
        self._unplaced: set[Partition] = set()
        self._placed: set[Partition] = set()
        self._paused_until: dict[Partition, float] = {}
        # The number of revocations so far.
        self._generation = 0
        self._place_not_before = 0.0
        self._last_poll = self._last_attempt = time.monotonic()
        self._rebalancing = True
        self._stopping = False

    def attach(self, consumer: AIOKafkaConsumer) -> None:
        """Set the client whose partitions are controlled."""
        self._consumer = consumer
        self._committer.attach(consumer)

    # --- Polling ----------------------------------------------------------------------------

    async def poll(self, fetch: Fetch) -> FetchedRecords:
        """Seek new partitions, resume paused ones, commit if due, then return the next batch."""
        try:
            async with self._lock:
                await self._place_assigned()
                self._resume_due()
            self._committer.commit_if_due()
            self._fetch = fetch
            self._batch = await self._next_batch()
        except KafkaError as error:
            # Trap: FastStream would sleep five seconds after an error of the poll.
            log.warning("poll failed", group=self._config.group, error=repr(error))
            await asyncio.sleep(RETRY_SECONDS)
            self._last_attempt = time.monotonic()
            return {}
        self._last_poll = self._last_attempt = time.monotonic()
        return self._batch.records_by_partition

    async def _next_batch(self) -> PolledBatch:
        """Return the prefetched batch, or fetch one now."""
        batch, starts = await self._prefetch.take(self._generation)
        for partition, offset in starts.items():
            self._seek(partition, offset)
        if batch.records:
            return batch
        await self._pause.sleep()
        return await self._fetch_batch()

    async def _fetch_batch(self) -> PolledBatch:
        fetched = await self._fetch(timeout_ms=self._poll_timeout_ms())
        generation = self._generation
        records = tuple(map(to_incoming_record, chain(*fetched.values())))
        batch = PolledBatch(fetched, records, generation)
        if batch.records:
            try:
                await self._config.consumer.prepare(batch.records)
            except Exception:
                # An error raised from a poll would lose the batch; `handle` will fail as well.
                log.exception("not prepared", group=self._config.group)
        return batch

    async def _place_assigned(self) -> None:
        """Seek new partitions to the consumer's start offsets.

        Not in the rebalance callback: the client sends no heartbeats while that runs.
        """
        if not self._unplaced or time.monotonic() < self._place_not_before:
            return
        partitions = sorted(self._unplaced, key=_sort_key)
        try:
            starts = await self._config.consumer.on_assigned(partitions)
        except Exception as error:  # noqa: BLE001  any error of the consumer is retried
            log.warning("no start yet", group=self._config.group, error=repr(error))
            self._place_not_before = time.monotonic() + RETRY_SECONDS
            return
        self._rewind({p: starts[p] for p in partitions if p in starts})
        self._unplaced.clear()
        self._placed.update(partitions)
        self._resume(p for p in partitions if p not in self._paused_until)

    def _resume_due(self) -> None:
        now = time.monotonic()
        due = [partition for partition, until in self._paused_until.items() if until <= now]
        for partition in due:
            del self._paused_until[partition]
        self._resume(partition for partition in due if partition in self._placed)

    def _poll_timeout_ms(self) -> int:
        """Return how long an empty poll may wait: until a commit, resume or placement is due."""
        now = time.monotonic()
        resumes = [until - now for until in self._paused_until.values()]
        waits = [IDLE_POLL_SECONDS, self._committer.seconds_until_due(), *resumes]
        if self._unplaced:
            waits.append(self._place_not_before - now)
        return max(1, int(min(waits) * 1000))

    # --- Delivery ---------------------------------------------------------------------------

    async def on_batch(self, records: BatchRecords) -> None:
        """Deliver a polled batch to the consumer.

        Trap: FastStream swallows an exception of this method, and the batch would be lost.
        """
        async with self._lock:
            batch = self._batch
            if not batch.matches(records):
                batch = PolledBatch.from_records(records, batch.generation)
            first, last = batch.first_offsets(), batch.last_offsets()
            if batch.generation != self._generation:
                # Revoked after the poll; the new owner seeks to its own start.
                return
            if self._stopping or not first.keys() <= self._placed:
                # Fetched before the start offset was known: drop it and seek back.
                self._rewind(first)
                return
            if len(records) >= self._config.max_batch_records:
                self._prefetch.start(self._fetch_batch)
            with self._pause.measure():
                await self._deliver(batch.records, first, last)

    async def _deliver(
        self,
        batch: Sequence[IncomingRecord],
        first: Mapping[Partition, int],
        last: Mapping[Partition, int],
    ) -> None:
        try:
            # `dict` raises here if a consumer returns None: handled as a failed batch.
            offsets = dict(await self._config.consumer.handle(batch))
        except Redeliver as error:
            log.info("batch comes again", group=self._config.group, reason=str(error))
            self._redeliver(first, error.pause_seconds)
        except Exception:
            log.exception("batch failed", group=self._config.group)
            self._redeliver(first, RETRY_SECONDS)
        except BaseException:
            # Cancelled by `stop`: no offsets were returned, so the next owner gets the batch.
            self._rewind(first)
            raise
        else:
            offsets = {p: offset for p, offset in offsets.items() if p in last}
            self._committer.add(offsets)
            self._rewind({p: offset for p, offset in offsets.items() if offset != last[p] + 1})
            missing = {p: offset for p, offset in first.items() if p not in offsets}
            self._redeliver(missing, RETRY_SECONDS)

    def _redeliver(self, first: Mapping[Partition, int], pause_seconds: float) -> None:
        """Seek back to the first offsets and pause.

        Trap: without the seek, the next commit would skip the failed batch.
        """
        self._rewind(first)
        until = time.monotonic() + pause_seconds
        for partition in first:
            self._paused_until[partition] = until
            self._if_assigned(self._consumer.pause, partition)

    def _rewind(self, starts: Mapping[Partition, int]) -> None:
        self._prefetch.invalidate(starts)
        for partition, offset in starts.items():
            self._seek(partition, offset)

    def _seek(self, partition: Partition, offset: int) -> None:
        self._if_assigned(lambda assigned: self._consumer.seek(assigned, offset), partition)

    def _resume(self, partitions: Iterable[Partition]) -> None:
        for partition in partitions:
            self._if_assigned(self._consumer.resume, partition)

    def _if_assigned(self, act: Callable[[TopicPartition], object], partition: Partition) -> None:
        try:
            act(to_topic_partition(partition))
        except IllegalStateError:
            # Revoked a moment ago; its new owner seeks and resumes.
            log.info("partition is gone", group=self._config.group, partition=str(partition))

    # --- Rebalancing ------------------------------------------------------------------------

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Wait for the batch in progress, then release the partitions.

        Trap: aiokafka would revoke them at once, in the middle of a batch; this callback blocks it.
        """
        self._rebalancing = True
        async with self._lock:
            await self._release_partitions()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Pause new partitions until the consumer has returned their start offsets.

        Trap: aiokafka forgets a pause at each rebalance; ours are kept, and `_place_assigned`
        resumes only the other partitions.
        """
        self._unplaced = set(to_partitions(assigned))
        self._place_not_before = 0.0
        self._paused_until = {
            p: until for p, until in self._paused_until.items() if p in self._unplaced
        }
        self._consumer.pause(*assigned)
        self._rebalancing = False

    async def _release_partitions(self) -> None:
        self._generation += 1
        self._prefetch.clear_invalidations()
        await self._committer.flush()
        partitions = sorted(self._placed | self._unplaced, key=_sort_key)
        self._placed.clear()
        self._unplaced.clear()
        if partitions:
            try:
                await self._config.consumer.on_revoked(partitions)
            except Exception:
                log.exception("revocation failed", group=self._config.group)

    # --- Stopping ---------------------------------------------------------------------------

    async def drain(self) -> None:
        """Deliver no further batch, and wait for the current one up to the drain timeout."""
        self._stopping = True
        try:
            async with asyncio.timeout(self._config.drain_timeout_seconds):
                async with self._lock:
                    return
        except TimeoutError:
            log.warning("batch cancelled", group=self._config.group)

    async def release(self) -> None:
        """Commit the returned offsets, and call the consumer's `on_revoked`."""
        await self._prefetch.cancel()
        async with self._lock:
            await self._release_partitions()

    def is_polling(self) -> bool:
        """Return whether the poll loop still runs; twice the limit holds during a rebalance.

        A failed poll counts: a restart would not bring the broker back. A rebalance may wait for
        the batch of another member.
        """
        limit = self._config.max_poll_interval_seconds * (2 if self._rebalancing else 1)
        return time.monotonic() - self._last_attempt < limit

    @property
    def last_poll_age(self) -> float:
        """Seconds since the last successful poll."""
        return time.monotonic() - self._last_poll


def _sort_key(partition: Partition) -> tuple[str, int]:
    return partition.topic, partition.number
