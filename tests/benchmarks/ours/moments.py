"""When events were committed, received and had their effect, kept until a process ends."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from msgspec import Struct, json

from shared.contracts.community import PostPublished
from shared.kit.core.bus import Consumer, IncomingRecord, Partition, SubscriptionConfig
from shared.kit.core.host import Host
from shared.kit.database.database import Database
from shared.kit.inbox import ledger
from tests.benchmarks.ours.reader import consumer_of

WARM = 4.0
"""Seconds that do not count: imports, plans, tokens not seen before, and what these delay."""
Apply = Callable[[Sequence[IncomingRecord]], Awaitable[Mapping[Partition, int]]]


class _Event(Struct):
    id: str
    correlationid: str


_decode = json.Decoder(_Event).decode


@dataclass
class Timed:
    """A consumer that notes when each batch came and when it was committed."""

    inner: Consumer
    batches: list[tuple[float, float, Sequence[IncomingRecord]]] = field(default_factory=list)

    async def on_assigned(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        return await self.inner.on_assigned(partitions)

    async def prepare(self, batch: Sequence[IncomingRecord]) -> None:
        await self.inner.prepare(batch)

    async def on_revoked(self, partitions: Sequence[Partition]) -> None:
        await self.inner.on_revoked(partitions)

    async def handle(self, batch: Sequence[IncomingRecord]) -> Mapping[Partition, int]:
        return await self.note(batch, self.inner.handle)

    async def note(self, batch: Sequence[IncomingRecord], apply: Apply) -> Mapping[Partition, int]:
        """Apply a batch, and note when it came and when it was done."""
        came = time.time()
        outcome = await apply(batch)
        self.batches.append((came, time.time(), batch))
        return outcome

    def moments(self) -> list[tuple[str, str, float, float]]:
        """Return id, correlation, receipt and effect of every event; decoded only now."""
        timed_events = []
        for came, done, batch in self.batches:
            for record in batch:
                event = _decode(record.value or b"")
                timed_events.append((event.id, event.correlationid, came, done))
        return timed_events


async def read_from_now(host: Host, database: Database) -> Timed:
    """Read posts with one effect in a new consumer group that begins at the end of the log."""
    group = f"bench-{uuid4().hex[:8]}"
    ends = (await host.bus.get_log_bounds([PostPublished.TOPIC])).end
    async with database.unit_for(()) as unit:
        await ledger.insert_positions(unit.connection, group, ends)
    timed = Timed(consumer_of(host, database, group))
    await host.bus.subscribe(SubscriptionConfig(group, (PostPublished.TOPIC,), timed))
    return timed


def percentiles(values: Sequence[float]) -> tuple[float, float]:
    """Return p50 and p99, in the unit of the values."""
    ordered = sorted(values)
    return ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
