"""A consumer that remembers, and small helpers around it."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from shared.kit.core.bus import Incoming, Outgoing, Partition, Reading

Step = Callable[[Sequence[Incoming]], Awaitable[Mapping[Partition, int] | None]]


async def until(met: Callable[[], object], *, seconds: float = 30.0) -> None:
    """Wait for a condition; a failing test then names it."""
    async with asyncio.timeout(seconds):
        while not met():  # noqa: ASYNC110  it looks from outside: nobody rings for it
            await asyncio.sleep(0.002)


def following(batch: Sequence[Incoming]) -> dict[Partition, int]:
    """Answer that all of it is done."""
    return {record.partition: record.offset + 1 for record in batch}


def some(topic: str, count: int, *, key: str = "", first: int = 0) -> list[Outgoing]:
    """Make records with the values b"0", b"1" … of one key, or of seven in turn."""
    return [
        Outgoing(topic, (key or f"key-{number % 7}").encode(), str(number).encode())
        for number in range(first, first + count)
    ]


@dataclass
class Recorder:
    """Remembers what it was told. `step` may fail, wait, or answer something else."""

    starts: Mapping[Partition, int] = field(default_factory=dict)
    step: Step | None = None
    prepared: list[tuple[Incoming, ...]] = field(default_factory=list)
    tried: list[tuple[Incoming, ...]] = field(default_factory=list)
    done: list[Incoming] = field(default_factory=list)
    story: list[tuple[str, tuple[Partition, ...]]] = field(default_factory=list)
    holds: set[Partition] = field(default_factory=set)
    handling: bool = False

    async def assigned(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        self.story.append(("assigned", tuple(partitions)))
        self.holds.update(partitions)
        return {each: at for each, at in self.starts.items() if each in partitions}

    async def prepare(self, batch: Sequence[Incoming]) -> None:
        self.prepared.append(tuple(batch))

    async def revoked(self, partitions: Sequence[Partition]) -> None:
        assert not self.handling, "revoked while a batch is in hand"
        self.story.append(("revoked", tuple(partitions)))
        self.holds.difference_update(partitions)

    async def handle(self, batch: Sequence[Incoming]) -> Mapping[Partition, int]:
        assert {record.partition for record in batch} <= self.holds, "a record before its time"
        self.tried.append(tuple(batch))
        self.handling = True
        try:
            answer = await self.step(batch) if self.step else None
        finally:
            self.handling = False
        self.done.extend(batch)
        return following(batch) if answer is None else answer

    @property
    def values(self) -> list[bytes | None]:
        return [record.value for record in self.done]

    @property
    def numbers(self) -> list[int]:
        return sorted(int(value or b"-1") for value in self.values)

    def in_order(self) -> bool:
        """Tell whether the records of each key came in the order of their numbers."""
        by_key: dict[bytes | None, list[int]] = defaultdict(list)
        for record in self.done:
            by_key[record.key].append(int(record.value or b"-1"))
        return all(numbers == sorted(numbers) for numbers in by_key.values())

    def reading(self, topic: str, group: str, **more: object) -> Reading:
        """Describe a reading by this consumer, with a group's name that nobody else has."""
        return Reading(group, (topic,), self, **more)  # type: ignore[arg-type]  # passed through
