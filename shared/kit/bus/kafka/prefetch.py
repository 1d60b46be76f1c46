"""Reading ahead: the next batch is fetched and decoded while the one in hand is in the database.

One batch ahead and no more, and only while the reader is behind: otherwise a batch would be taken
before it has gathered, and the database would see twice as many.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from aiokafka import ConsumerRecord, TopicPartition
from msgspec import Struct

from shared.kit.bus.kafka.conversions import to_incoming_record, to_partition
from shared.kit.core.bus import IncomingRecord, Partition

FetchedRecords = dict[TopicPartition, list[ConsumerRecord]]
BatchRecords = tuple[ConsumerRecord, ...]


class PolledBatch(Struct, frozen=True):
    """What a poll found: the client's records, ours, and how many rebalances there were by then."""

    records_by_partition: FetchedRecords
    records: tuple[IncomingRecord, ...]
    generation: int

    def matches(self, records: BatchRecords) -> bool:
        """Return whether these are the records that it found."""
        first = next(iter(self.records_by_partition.values()), [])
        return bool(first) and first[0] is records[0] and len(self.records) == len(records)

    @classmethod
    def from_records(cls, records: BatchRecords, generation: int) -> "PolledBatch":
        """See these as a poll would have."""
        polled: FetchedRecords = {}
        for record in records:
            place = TopicPartition(record.topic, record.partition)
            polled.setdefault(place, []).append(record)
        return cls(polled, tuple(map(to_incoming_record, records)), generation)

    def first_offsets(self) -> dict[Partition, int]:
        """Return the first offset in each partition."""
        return {
            to_partition(*place): found[0].offset
            for place, found in self.records_by_partition.items()
        }

    def last_offsets(self) -> dict[Partition, int]:
        """Return the last offset in each partition."""
        return {
            to_partition(*place): found[-1].offset
            for place, found in self.records_by_partition.items()
        }


EMPTY = PolledBatch({}, (), 0)


class Prefetch:
    """The look at the next batch, if one was begun."""

    def __init__(self) -> None:
        self._task: asyncio.Task[PolledBatch] | None = None
        self._rewound: dict[Partition, int] = {}

    def start(self, look: Callable[[], Awaitable[PolledBatch]]) -> None:
        """Look while the batch in hand is worked on."""
        if self._task is None:
            self._task = asyncio.ensure_future(look())
            self._rewound = {}

    def invalidate(self, starts: Mapping[Partition, int]) -> None:
        """Learn that these are read from here: what was seen without knowing it is void."""
        self._rewound.update(starts)

    def clear_invalidations(self) -> None:
        """Learn that all partitions were taken away: whoever gets them says where they start."""
        self._rewound = {}

    async def take(self, generation: int) -> tuple[PolledBatch, Mapping[Partition, int]]:
        """Return what was found, or nothing and where to go back to if it is void.

        What was found before the last rebalance is nothing. Raises what the look raised.
        """
        task, self._task = self._task, None
        if task is None:
            return EMPTY, {}
        found = await task
        if found.generation != generation:
            return EMPTY, {}
        if not self._rewound:
            return found, {}
        # A look that ended before the rewind stands behind it; one that ended after, on it.
        return EMPTY, found.first_offsets() | self._rewound

    async def cancel(self) -> None:
        """Forget it: the reader ends."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            # Whatever it met, nobody wants it any more.
            with suppress(asyncio.CancelledError, Exception):
                await task
