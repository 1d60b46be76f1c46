"""Prefetches the next batch: fetch and decode it while the current batch is in the database.

At most one batch is prefetched, and only while the consumer lags: otherwise batches would be
smaller, and the database would process twice as many.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Protocol

from aiokafka import ConsumerRecord, TopicPartition
from msgspec import Struct

from shared.kit.bus.kafka.conversions import to_incoming_record, to_partition
from shared.kit.core.bus import IncomingRecord, Partition

FetchedRecords = dict[TopicPartition, list[ConsumerRecord]]
BatchRecords = tuple[ConsumerRecord, ...]


class Fetch(Protocol):
    """The `getmany` of the client, as FastStream passes it."""

    def __call__(self, *, timeout_ms: int) -> Awaitable[FetchedRecords]: ...


class PolledBatch(Struct, frozen=True):
    """The result of a poll: aiokafka's records and ours, and the number of revocations then."""

    records_by_partition: FetchedRecords
    records: tuple[IncomingRecord, ...]
    revocation_count: int

    def matches(self, records: BatchRecords) -> bool:
        """Return whether these are the records of this poll."""
        first = next(iter(self.records_by_partition.values()), [])
        return bool(first) and first[0] is records[0] and len(self.records) == len(records)

    @classmethod
    def from_records(cls, records: BatchRecords, revocation_count: int) -> "PolledBatch":
        """Build the batch that a poll would have returned for these records."""
        by_partition: FetchedRecords = {}
        for record in records:
            partition = TopicPartition(record.topic, record.partition)
            by_partition.setdefault(partition, []).append(record)
        return cls(by_partition, tuple(map(to_incoming_record, records)), revocation_count)

    def first_offsets(self) -> dict[Partition, int]:
        """Return the first offset of each partition."""
        return {
            to_partition(*partition): records[0].offset
            for partition, records in self.records_by_partition.items()
        }

    def last_offsets(self) -> dict[Partition, int]:
        """Return the last offset of each partition."""
        return {
            to_partition(*partition): records[-1].offset
            for partition, records in self.records_by_partition.items()
        }


EMPTY = PolledBatch({}, (), 0)


class Prefetch:
    """The poll of the next batch, if one was started."""

    def __init__(self) -> None:
        self._task: asyncio.Task[PolledBatch] | None = None
        self._invalid_from: dict[Partition, int] = {}

    def start(self, poll: Callable[[], Awaitable[PolledBatch]]) -> None:
        """Poll in the background while the current batch is processed."""
        if self._task is None:
            self._task = asyncio.ensure_future(poll())
            self._invalid_from = {}

    def invalidate(self, starts: Mapping[Partition, int]) -> None:
        """Discard the prefetched batch: these partitions continue at these offsets."""
        self._invalid_from.update(starts)

    def clear_invalidations(self) -> None:
        """Forget the offsets: all partitions were revoked, and the next owner chooses its start."""
        self._invalid_from = {}

    async def take(self, revocation_count: int) -> tuple[PolledBatch, Mapping[Partition, int]]:
        """Return the prefetched batch, or an empty one and the offsets to seek to.

        A batch from before the last rebalance counts as empty. Raises the error of the poll.
        """
        task, self._task = self._task, None
        if task is None:
            return EMPTY, {}
        batch = await task
        if batch.revocation_count != revocation_count:
            return EMPTY, {}
        if not self._invalid_from:
            return batch, {}
        # The poll may have moved the client's position past this batch: seek back to its first
        # offsets, and to the given offsets of the invalidated partitions.
        return EMPTY, batch.first_offsets() | self._invalid_from

    async def cancel(self) -> None:
        """Cancel the poll, because the subscription ends."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            # Its result and its errors are not used any more.
            with suppress(asyncio.CancelledError, Exception):
                await task
