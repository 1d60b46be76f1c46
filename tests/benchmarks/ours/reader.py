"""Ours: the real bus, and the real inbox with one effect, as one process with one event loop.

Options: `receive` hands records over undecoded, `typed` decodes every one; both have no effect.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
import uvloop

from shared.contracts.community import PostPublished
from shared.contracts.event import Fact
from shared.contracts.ids import EventId, SpaceId, TenantId
from shared.kit.core.bus import Consumer, IncomingRecord, Partition, SubscriptionConfig
from shared.kit.core.host import Host
from shared.kit.core.reactions import BoundReaction
from shared.kit.core.unit_of_work import Delivery, Unit
from shared.kit.database.database import Database, connection
from shared.kit.inbox.consumer import BatchConsumer
from shared.kit.inbox.decode import Unreadable, decode_record, decoders_for
from shared.kit.runtime.garbage_collection import relax_garbage_collector
from shared.kit.runtime.runner import build_host
from shared.kit.telemetry.messaging import record_create_span
from tests.benchmarks.peers.protocol import Stopwatch, Task, task

_COUNT = sa.text("""
    INSERT INTO bench_counts AS c (tenant_id, space_id, day, n)
    SELECT * FROM unnest(CAST(:tenants AS uuid[]), CAST(:spaces AS uuid[]), CAST(:days AS date[]),
                         CAST(:ns AS bigint[]))
    ON CONFLICT (tenant_id, space_id, day) DO UPDATE SET n = c.n + excluded.n
""")


async def count_posts(unit: Unit, deliveries: Sequence[Delivery[Fact]]) -> None:
    """Add a batch to the counters, as metrics does: one statement, in sorted key order."""
    counts: Counter[tuple[TenantId, SpaceId, date]] = Counter()
    for delivery in deliveries:
        assert isinstance(delivery.fact, PostPublished)
        counts[delivery.tenant, delivery.fact.space_id, delivery.time.date()] += 1
    places = sorted(counts)
    tenants, spaces, days = zip(*places, strict=True)
    await connection(unit).execute(
        _COUNT,
        {
            "tenants": list(tenants),
            "spaces": list(spaces),
            "days": list(days),
            "ns": [counts[key] for key in places],
        },
    )


@dataclass
class Receiver:
    """A consumer without an effect."""

    host: Host
    typed: bool

    def __post_init__(self) -> None:
        self.wanted = decoders_for((PostPublished,))

    async def on_assigned(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        return {}

    async def prepare(self, batch: Sequence[IncomingRecord]) -> None: ...

    async def on_revoked(self, partitions: Sequence[Partition]) -> None: ...

    async def handle(self, batch: Sequence[IncomingRecord]) -> Mapping[Partition, int]:
        if self.typed:
            for record in batch:
                assert not isinstance(
                    decode_record(record, self.wanted, self.host.clock()), Unreadable
                )
        return {record.partition: record.offset + 1 for record in batch}


@dataclass
class Clocked:
    """Records each finished batch in the stopwatch."""

    inner: Consumer
    watch: Stopwatch
    enough: asyncio.Event

    async def on_assigned(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        return await self.inner.on_assigned(partitions)

    async def prepare(self, batch: Sequence[IncomingRecord]) -> None:
        await self.inner.prepare(batch)

    async def on_revoked(self, partitions: Sequence[Partition]) -> None:
        await self.inner.on_revoked(partitions)

    async def handle(self, batch: Sequence[IncomingRecord]) -> Mapping[Partition, int]:
        offsets = await self.inner.handle(batch)
        if self.watch.passed(len(batch)):
            self.enough.set()
        return offsets


def database_of(host: Host, url: str) -> Database:
    """Open community's database as the service does."""

    def trace(fact: Fact, event_id: EventId, parent: str | None) -> str | None:
        return record_create_span(
            host.telemetry, fact.wire_type(), fact.TOPIC, str(event_id), parent
        )

    return Database("community", url, clock=host.clock, new_id=host.new_id, trace=trace)


def consumer_of(host: Host, database: Database, group: str) -> BatchConsumer:
    """The real inbox, with the one effect."""
    effect = BoundReaction("count_posts", count_posts, (PostPublished,))
    return BatchConsumer(group, database, (effect,), host.bus, host.clock, host.telemetry)


async def main(task: Task) -> None:
    environment = dict[str, str](task.options.get("environment", {}))
    host = build_host("community", environment, task.kafka)
    relax_garbage_collector()
    database = database_of(host, task.database) if task.effect else None
    watch, enough = Stopwatch(task.warm, task.count), asyncio.Event()
    groups = [f"{task.group}-{number}" for number in range(task.options.get("groups", 1))]
    subscriptions = []
    for group in groups:
        consumer: Consumer = Receiver(host, typed=task.options.get("decode", True))
        if database is not None:
            consumer = consumer_of(host, database, group)
        reading = SubscriptionConfig(
            group, (task.topic,), Clocked(consumer, watch, enough), max_batch_records=task.batch
        )
        subscriptions.append(await host.bus.subscribe(reading))
    await enough.wait()
    await asyncio.gather(*(subscription.stop() for subscription in subscriptions))
    # Only now: the batches in hand were finished, and their effects will be counted too.
    watch.report()
    await host.bus.close()
    if database is not None:
        await database.stop()


if __name__ == "__main__":
    uvloop.run(main(task()))
