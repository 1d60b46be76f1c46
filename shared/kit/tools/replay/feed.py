"""Reads the log for a replay up to given offsets, ordered by time or topic by topic.

The order by time is nearly the order in which the live group read the records. A service that
relies only on the order within a key has the same tables after any order; `ReadOrder` tests that.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from enum import StrEnum

from shared.kit.core.bus import Bus, IncomingRecord, Partition

MAX_BATCH_RECORDS = 2000
MAX_CHUNK_RECORDS = 2000
OffsetRange = tuple[int, int]
"""First offset, and the offset after the last."""


class ReadOrder(StrEnum):
    """Order of partitions; records of one partition always keep the log's order."""

    TIME = "time"
    TOPICS = "topics"
    REVERSED = "reversed"


@dataclass
class _Reader:
    """Reads the records of one partition in chunks."""

    bus: Bus
    partition: Partition
    begin: int
    end: int
    chunk: deque[IncomingRecord] = field(default_factory=deque)
    stamp: int = 0

    async def has_record(self) -> bool:
        """Fetch a chunk if none is left; return False at the end of the range."""
        while not self.chunk and self.begin < self.end:
            limit = min(MAX_CHUNK_RECORDS, self.end - self.begin)
            self.chunk.extend(await self.bus.fetch(self.partition, self.begin, limit))
            # Compacted records and transaction markers are missing in the response.
            last = self.chunk[-1].offset + 1 if self.chunk else 0
            self.begin = max(self.begin + limit, last)
        return bool(self.chunk)

    def sort_key(self) -> tuple[int, str, int]:
        """Return the merge key: the highest timestamp so far, then the partition."""
        self.stamp = max(self.stamp, self.chunk[0].timestamp_ms)
        return self.stamp, self.partition.topic, self.partition.number


async def read_batches(
    bus: Bus, ranges: Mapping[Partition, OffsetRange], order: ReadOrder
) -> AsyncGenerator[list[IncomingRecord], None]:
    """Read these ranges in batches; the next batch is fetched while the caller handles one."""
    readers = [_Reader(bus, partition, begin, end) for partition, (begin, end) in ranges.items()]
    readers.sort(key=lambda reader: (reader.partition.topic, reader.partition.number))
    if order is ReadOrder.REVERSED:
        readers.reverse()
    async with aclosing(
        _merge_by_time(readers) if order is ReadOrder.TIME else _read_in_sequence(readers)
    ) as batches:
        async for batch in _prefetch(batches):
            yield batch


async def _merge_by_time(readers: Iterable[_Reader]) -> AsyncGenerator[list[IncomingRecord], None]:
    active_readers = {reader.partition: reader for reader in readers if await reader.has_record()}
    heap = [reader.sort_key() for reader in active_readers.values()]
    heapq.heapify(heap)
    batch: list[IncomingRecord] = []
    while heap:
        _, topic, number = heap[0]
        reader = active_readers[Partition(topic, number)]
        batch.append(reader.chunk.popleft())
        if reader.chunk or await reader.has_record():
            heapq.heapreplace(heap, reader.sort_key())
        else:
            heapq.heappop(heap)
        if len(batch) == MAX_BATCH_RECORDS:
            yield batch
            batch = []
    if batch:
        yield batch


async def _read_in_sequence(
    readers: Iterable[_Reader],
) -> AsyncGenerator[list[IncomingRecord], None]:
    for reader in readers:
        while await reader.has_record():
            yield [reader.chunk.popleft() for _ in range(min(MAX_BATCH_RECORDS, len(reader.chunk)))]


async def _prefetch(
    source: AsyncGenerator[list[IncomingRecord], None],
) -> AsyncGenerator[list[IncomingRecord], None]:
    """Fetch the next batch while the caller handles this one."""

    async def next_batch() -> list[IncomingRecord] | None:
        return await anext(source, None)

    task = asyncio.create_task(next_batch())
    try:
        while (batch := await task) is not None:
            task = asyncio.create_task(next_batch())
            yield batch
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
