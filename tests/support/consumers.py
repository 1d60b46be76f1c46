"""A consumer that records its calls, and helpers for it."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from shared.kit.core.bus import IncomingRecord, OutgoingRecord, Partition, SubscriptionConfig

Step = Callable[[Sequence[IncomingRecord]], Awaitable[Mapping[Partition, int] | None]]


async def wait_until(condition: Callable[[], object], *, seconds: float = 30.0) -> None:
    """Wait for a condition; a failing test then names it."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  the condition has no event
            await asyncio.sleep(0.002)


def next_offsets(batch: Sequence[IncomingRecord]) -> dict[Partition, int]:
    """Return the next offsets of a completely applied batch."""
    return {record.partition: record.offset + 1 for record in batch}


def make_records(topic: str, count: int, *, key: str = "", first: int = 0) -> list[OutgoingRecord]:
    """Make records with the values b"0", b"1" … of one key, or of seven keys in turn."""
    return [
        OutgoingRecord(topic, (key or f"key-{number % 7}").encode(), str(number).encode())
        for number in range(first, first + count)
    ]


@dataclass
class RecordingConsumer:
    """Records its calls and batches. `step` may fail, wait, or return other offsets."""

    starts: Mapping[Partition, int] = field(default_factory=dict)
    step: Step | None = None
    prepared: list[tuple[IncomingRecord, ...]] = field(default_factory=list)
    attempts: list[tuple[IncomingRecord, ...]] = field(default_factory=list)
    handled: list[IncomingRecord] = field(default_factory=list)
    calls: list[tuple[str, tuple[Partition, ...]]] = field(default_factory=list)
    owned: set[Partition] = field(default_factory=set)
    handling: bool = False

    async def on_assigned(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        self.calls.append(("assigned", tuple(partitions)))
        self.owned.update(partitions)
        return {partition: at for partition, at in self.starts.items() if partition in partitions}

    async def prepare(self, batch: Sequence[IncomingRecord]) -> None:
        self.prepared.append(tuple(batch))

    async def on_revoked(self, partitions: Sequence[Partition]) -> None:
        assert not self.handling, "revoked during a batch"
        self.calls.append(("revoked", tuple(partitions)))
        self.owned.difference_update(partitions)

    async def handle(self, batch: Sequence[IncomingRecord]) -> Mapping[Partition, int]:
        assert {record.partition for record in batch} <= self.owned, (
            "a record of a partition that is not assigned"
        )
        self.attempts.append(tuple(batch))
        self.handling = True
        try:
            offsets = await self.step(batch) if self.step else None
        finally:
            self.handling = False
        self.handled.extend(batch)
        return next_offsets(batch) if offsets is None else offsets

    @property
    def values(self) -> list[bytes | None]:
        return [record.value for record in self.handled]

    @property
    def numbers(self) -> list[int]:
        return sorted(int(value or b"-1") for value in self.values)

    def in_order(self) -> bool:
        """Return whether the records of each key arrived in the order of their numbers."""
        by_key: dict[bytes | None, list[int]] = defaultdict(list)
        for record in self.handled:
            by_key[record.key].append(int(record.value or b"-1"))
        return all(numbers == sorted(numbers) for numbers in by_key.values())

    def config_for(self, topic: str, group: str, **more: object) -> SubscriptionConfig:
        """Return the configuration of a subscription with this consumer."""
        return SubscriptionConfig(group, (topic,), self, **more)  # type: ignore[arg-type]  # passed through
