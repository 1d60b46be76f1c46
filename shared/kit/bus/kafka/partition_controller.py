"""Adapts aiokafka's poll and rebalance callbacks to a `Consumer`: offsets, delivery, pauses.

`_lock` serialises processing a batch, asking the consumer for start offsets, and revocation. The
fetch is outside of it, so a batch can be older than a revocation; it is then dropped.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from operator import attrgetter

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from shared.kit.bus.kafka.commits import OffsetCommitter
from shared.kit.bus.kafka.conversions import to_incoming_record, to_partitions, to_topic_partition
from shared.kit.bus.kafka.prefetch import (
    EMPTY,
    BatchRecords,
    Fetch,
    FetchedRecords,
    PolledBatch,
    Prefetch,
)
from shared.kit.core.adaptive_pause import AdaptivePause
from shared.kit.core.bus import IncomingRecord, Partition, Redeliver, SubscriptionConfig
from shared.kit.telemetry.logs import get_logger

log = get_logger("kafka")

_BY_NAME = attrgetter("topic", "number")
IDLE_POLL_SECONDS = 0.1
RETRY_SECONDS = 1.0
"""Pause after a failure other than `Redeliver`, which has its own pause."""


class PartitionController(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Polls, delivers batches to the consumer, and handles the rebalances of one subscription."""

    def __init__(self, config: SubscriptionConfig) -> None:
        self._config = config
        self._committer = OffsetCommitter(config.group, config.commit_interval_seconds)
        self._lock = asyncio.Lock()
        self._prefetch = Prefetch()
        self._batch = EMPTY
        self._poll_delay = AdaptivePause()
        # Assigned partitions whose start offset is not yet known.
        self._awaiting_start_offset: set[Partition] = set()
        # Assigned partitions that were seeked to their start offset: ready for delivery.
        self._positioned: set[Partition] = set()
        self._paused_until: dict[Partition, float] = {}
        self._revocation_count = 0
        self._seek_not_before = 0.0
        self._last_poll = self._last_poll_attempt = time.monotonic()
        self._rebalancing = True
        self._stopping = False

    def attach(self, consumer: AIOKafkaConsumer) -> None:
        """Set the client whose partitions are controlled."""
        self._consumer = consumer
        self._committer.attach(consumer)

    # --- Polling ----------------------------------------------------------------------------

    async def poll(self, fetch: Fetch) -> FetchedRecords:
        """Seek new partitions to their start offset, resume, commit if due, return a batch."""
        try:
            async with self._lock:
                await self._seek_assigned()
                self._resume_due()
            self._committer.commit_if_due()
            self._fetch = fetch
            self._batch = await self._next_batch()
        except KafkaError as error:
            # Trap: FastStream would sleep five seconds after an error of the poll.
            log.warning("poll failed", group=self._config.group, error=repr(error))
            await asyncio.sleep(RETRY_SECONDS)
            self._last_poll_attempt = time.monotonic()
            return {}
        self._last_poll = self._last_poll_attempt = time.monotonic()
        return self._batch.records_by_partition

    async def _next_batch(self) -> PolledBatch:
        """Return the prefetched batch, or fetch one now."""
        # Dropped prefetched records moved the client's position: these seeks must be repeated.
        batch, seeks = await self._prefetch.take(self._revocation_count)
        for partition, offset in seeks.items():
            self._seek(partition, offset)
        if batch.records:
            return batch
        await self._poll_delay.sleep()
        return await self._fetch_batch()

    async def _fetch_batch(self) -> PolledBatch:
        fetched = await self._fetch(timeout_ms=self._poll_timeout_ms())
        revocation_count = self._revocation_count
        records = tuple(map(to_incoming_record, chain(*fetched.values())))
        batch = PolledBatch(fetched, records, revocation_count)
        if batch.records:
            try:
                await self._config.consumer.prepare(batch.records)
            except Exception:
                # Not raised: FastStream would drop the batch. `handle` raises the same error, and
                # the batch is redelivered.
                log.exception("prepare failed", group=self._config.group)
        return batch

    async def _seek_assigned(self) -> None:
        """Seek new partitions to the consumer's start offsets.

        Not in the rebalance callback: the client sends no heartbeats during a callback.
        """
        if not self._awaiting_start_offset or time.monotonic() < self._seek_not_before:
            return
        partitions = sorted(self._awaiting_start_offset, key=_BY_NAME)
        try:
            starts = await self._config.consumer.on_assigned(partitions)
        except Exception as error:  # noqa: BLE001  any error of the consumer is retried
            log.warning(
                "start offsets unavailable, will retry", group=self._config.group, error=repr(error)
            )
            self._seek_not_before = time.monotonic() + RETRY_SECONDS
            return
        self._seek_all({p: starts[p] for p in partitions if p in starts})
        self._awaiting_start_offset.clear()
        self._positioned.update(partitions)
        self._resume(p for p in partitions if p not in self._paused_until)

    def _resume_due(self) -> None:
        now = time.monotonic()
        due = [partition for partition, until in self._paused_until.items() if until <= now]
        for partition in due:
            del self._paused_until[partition]
        self._resume(partition for partition in due if partition in self._positioned)

    def _poll_timeout_ms(self) -> int:
        """Return how long an empty poll may wait: until a commit, resume or placement is due."""
        now = time.monotonic()
        resumes = [until - now for until in self._paused_until.values()]
        waits = [IDLE_POLL_SECONDS, self._committer.seconds_until_due(), *resumes]
        if self._awaiting_start_offset:
            waits.append(self._seek_not_before - now)
        return max(1, int(min(waits) * 1000))

    # --- Delivery ---------------------------------------------------------------------------

    async def on_batch(self, records: BatchRecords) -> None:
        """Deliver a polled batch to the consumer.

        Trap: FastStream swallows an exception of this method, and the batch would be lost.
        """
        async with self._lock:
            batch = self._batch
            if not batch.matches(records):
                batch = PolledBatch.from_records(records, batch.revocation_count)
            first, last = batch.first_offsets(), batch.last_offsets()
            if batch.revocation_count != self._revocation_count:
                # Revoked after the poll; the newly assigned member seeks to its start offset.
                return
            if self._stopping or not first.keys() <= self._positioned:
                # Fetched before the start offset was known: drop it and seek back.
                self._seek_all(first)
                return
            if len(records) >= self._config.max_batch_records:
                self._prefetch.start(self._fetch_batch)
            with self._poll_delay.measure():
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
            log.info("batch is redelivered", group=self._config.group, reason=str(error))
            self._redeliver(first, error.pause_seconds)
        except Exception:
            log.exception("batch failed", group=self._config.group)
            self._redeliver(first, RETRY_SECONDS)
        except BaseException:
            # `KafkaSubscription` cancels the task when it stops. No offsets were returned, so
            # the next owner gets the batch.
            self._seek_all(first)
            raise
        else:
            offsets = {p: offset for p, offset in offsets.items() if p in last}
            self._committer.add(offsets)
            self._seek_all({p: offset for p, offset in offsets.items() if offset != last[p] + 1})
            missing = {p: offset for p, offset in first.items() if p not in offsets}
            self._redeliver(missing, RETRY_SECONDS)

    def _redeliver(self, first: Mapping[Partition, int], pause_seconds: float) -> None:
        # Without the seek, the commit of a later batch would pass over the failed one.
        self._seek_all(first)
        until = time.monotonic() + pause_seconds
        for partition in first:
            self._paused_until[partition] = until
            self._if_assigned(self._consumer.pause, partition)

    def _seek_all(self, starts: Mapping[Partition, int]) -> None:
        self._prefetch.invalidate(starts)
        for partition, offset in starts.items():
            self._seek(partition, offset)

    def _seek(self, partition: Partition, offset: int) -> None:
        self._if_assigned(lambda assigned: self._consumer.seek(assigned, offset), partition)

    def _resume(self, partitions: Iterable[Partition]) -> None:
        for partition in partitions:
            self._if_assigned(self._consumer.resume, partition)

    def _if_assigned(
        self, operation: Callable[[TopicPartition], object], partition: Partition
    ) -> None:
        try:
            operation(to_topic_partition(partition))
        except IllegalStateError:
            # Revoked meanwhile; its new owner seeks and resumes.
            log.info(
                "partition is no longer assigned",
                group=self._config.group,
                partition=str(partition),
            )

    # --- Rebalancing ------------------------------------------------------------------------

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Wait for the batch in progress, then release the partitions.

        Trap: aiokafka would revoke them immediately, during a batch; the rebalance waits for this
        callback.
        """
        self._rebalancing = True
        async with self._lock:
            await self._release_partitions()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Pause new partitions until the consumer has returned their start offsets.

        Trap: aiokafka clears pauses at each rebalance; `_paused_until` keeps them, and
        `_seek_assigned` resumes only the other partitions. No lock: aiokafka calls this after
        `on_partitions_revoked`, and the new partitions are delivered only once they are seeked.
        """
        self._awaiting_start_offset = set(to_partitions(assigned))
        self._seek_not_before = 0.0
        self._paused_until = {
            p: until for p, until in self._paused_until.items() if p in self._awaiting_start_offset
        }
        self._consumer.pause(*assigned)
        self._rebalancing = False

    async def _release_partitions(self) -> None:
        self._revocation_count += 1
        self._prefetch.clear_invalidations()
        await self._committer.flush()
        partitions = sorted(self._positioned | self._awaiting_start_offset, key=_BY_NAME)
        self._positioned.clear()
        self._awaiting_start_offset.clear()
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
            log.warning("drain timeout: the batch will be cancelled", group=self._config.group)

    async def release(self) -> None:
        """Commit the returned offsets, and call the consumer's `on_revoked`."""
        await self._prefetch.cancel()
        async with self._lock:
            await self._release_partitions()

    def is_polling(self) -> bool:
        """Return whether the poll loop still runs; the limit is doubled during a rebalance.

        A failed poll counts as activity, because restarting the process does not repair the broker.
        A rebalance may wait for the batch of another member.
        """
        limit = self._config.max_poll_interval_seconds * (2 if self._rebalancing else 1)
        return time.monotonic() - self._last_poll_attempt < limit

    @property
    def last_poll_age(self) -> float:
        """Seconds since the last successful poll."""
        return time.monotonic() - self._last_poll
