"""Reading ahead: the next batch is fetched and decoded while the one in hand is in the database.

One batch ahead and no more, and only while the reader is behind: otherwise a batch would be taken
before it has gathered, and the database would see twice as many.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from aiokafka import ConsumerRecord, TopicPartition
from msgspec import Struct

from shared.kit.bus.kafka.translate import incoming, ours
from shared.kit.core.bus import Incoming, Partition

Polled = dict[TopicPartition, list[ConsumerRecord]]
Records = tuple[ConsumerRecord, ...]


class Glance(Struct, frozen=True):
    """What a poll found: the client's records, ours, and how many rebalances there were by then."""

    polled: Polled
    batch: tuple[Incoming, ...]
    generation: int

    def is_of(self, records: Records) -> bool:
        """Tell whether these are the records that it found."""
        first = next(iter(self.polled.values()), [])
        return bool(first) and first[0] is records[0] and len(self.batch) == len(records)

    @classmethod
    def of(cls, records: Records, generation: int) -> "Glance":
        """See these as a poll would have."""
        polled: Polled = {}
        for record in records:
            place = TopicPartition(record.topic, record.partition)
            polled.setdefault(place, []).append(record)
        return cls(polled, tuple(map(incoming, records)), generation)

    def starts(self) -> dict[Partition, int]:
        """Give the first offset in each partition."""
        return {ours(*place): found[0].offset for place, found in self.polled.items()}

    def ends(self) -> dict[Partition, int]:
        """Give the last offset in each partition."""
        return {ours(*place): found[-1].offset for place, found in self.polled.items()}


NOTHING = Glance({}, (), 0)


class Ahead:
    """The look at the next batch, if one was begun."""

    def __init__(self) -> None:
        self._task: asyncio.Task[Glance] | None = None
        self._rewound: dict[Partition, int] = {}

    def begin(self, look: Callable[[], Awaitable[Glance]]) -> None:
        """Look while the batch in hand is worked on."""
        if self._task is None:
            self._task = asyncio.ensure_future(look())
            self._rewound = {}

    def rewound(self, starts: Mapping[Partition, int]) -> None:
        """Learn that these are read from here: what was seen without knowing it is void."""
        self._rewound.update(starts)

    def forget(self) -> None:
        """Learn that all partitions were taken away: whoever gets them says where they start."""
        self._rewound = {}

    async def take(self, generation: int) -> tuple[Glance, Mapping[Partition, int]]:
        """Give what was found, or nothing and where to go back to if it is void.

        What was found before the last rebalance is nothing. Raises what the look raised.
        """
        task, self._task = self._task, None
        if task is None:
            return NOTHING, {}
        found = await task
        if found.generation != generation:
            return NOTHING, {}
        if not self._rewound:
            return found, {}
        # A look that ended before the rewind stands behind it; one that ended after, on it.
        return NOTHING, found.starts() | self._rewound

    async def drop(self) -> None:
        """Forget it: the reader ends."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            # Whatever it met, nobody wants it any more.
            with suppress(asyncio.CancelledError, Exception):
                await task
