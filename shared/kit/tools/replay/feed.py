"""The log as a replay reads it: up to a given end, merged by time, or topic after topic.

By time is how the live reader met it, nearly. A service that depends on nothing but the order
within a key ends up the same in any other order, and `ReadOrder` lets one find out.
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
"""From this offset to before that one."""


class ReadOrder(StrEnum):
    """In which order partitions are read; within each it is always the log's."""

    TIME = "time"
    TOPICS = "topics"
    REVERSED = "reversed"


@dataclass
class _Reader:
    """One partition, a chunk of it in memory."""

    bus: Bus
    place: Partition
    begin: int
    end: int
    chunk: deque[IncomingRecord] = field(default_factory=deque)
    stamp: int = 0

    async def ready(self) -> bool:
        """Have a record at hand; False at the end."""
        while not self.chunk and self.begin < self.end:
            limit = min(MAX_CHUNK_RECORDS, self.end - self.begin)
            self.chunk.extend(await self.bus.fetch(self.place, self.begin, limit))
            # What the log no longer holds, or never did (a marker), is left out of the answer.
            last = self.chunk[-1].offset + 1 if self.chunk else 0
            self.begin = max(self.begin + limit, last)
        return bool(self.chunk)

    def turn(self) -> tuple[int, str, int]:
        """Return when it is this one's turn: never before what it gave already."""
        self.stamp = max(self.stamp, self.chunk[0].timestamp_ms)
        return self.stamp, self.place.topic, self.place.number


async def read_batches(
    bus: Bus, ranges: Mapping[Partition, OffsetRange], order: ReadOrder
) -> AsyncGenerator[list[IncomingRecord], None]:
    """Read all these spans, one batch ahead of whoever applies them."""
    readers = [_Reader(bus, place, begin, end) for place, (begin, end) in ranges.items()]
    readers.sort(key=lambda each: (each.place.topic, each.place.number))
    if order is ReadOrder.REVERSED:
        readers.reverse()
    async with aclosing(
        _merged(readers) if order is ReadOrder.TIME else _chained(readers)
    ) as found:
        async for batch in _ahead(found):
            yield batch


async def _merged(readers: Iterable[_Reader]) -> AsyncGenerator[list[IncomingRecord], None]:
    waiting = {each.place: each for each in readers if await each.ready()}
    heap = [each.turn() for each in waiting.values()]
    heapq.heapify(heap)
    batch: list[IncomingRecord] = []
    while heap:
        _, topic, number = heap[0]
        reader = waiting[Partition(topic, number)]
        batch.append(reader.chunk.popleft())
        if reader.chunk or await reader.ready():
            heapq.heapreplace(heap, reader.turn())
        else:
            heapq.heappop(heap)
        if len(batch) == MAX_BATCH_RECORDS:
            yield batch
            batch = []
    if batch:
        yield batch


async def _chained(readers: Iterable[_Reader]) -> AsyncGenerator[list[IncomingRecord], None]:
    for reader in readers:
        while await reader.ready():
            yield [reader.chunk.popleft() for _ in range(min(MAX_BATCH_RECORDS, len(reader.chunk)))]


async def _ahead(
    source: AsyncGenerator[list[IncomingRecord], None],
) -> AsyncGenerator[list[IncomingRecord], None]:
    """Have the next batch fetched while the database works on this one."""

    async def step() -> list[IncomingRecord] | None:
        return await anext(source, None)

    task = asyncio.create_task(step())
    try:
        while (batch := await task) is not None:
            task = asyncio.create_task(step())
            yield batch
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
