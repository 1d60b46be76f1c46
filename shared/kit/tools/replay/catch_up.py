"""A replay under way: the room, the readers that fill it, and the live side that they follow."""

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.contracts.event import decode_envelope
from shared.contracts.identity import TenantOpened
from shared.kit.core.bus import Bus, Partition
from shared.kit.core.errors import NotFound
from shared.kit.inbox.decode import DECODE_ERRORS
from shared.kit.tools.replay import live, schema
from shared.kit.tools.replay.feed import MAX_BATCH_RECORDS, ReadOrder, read_batches
from shared.kit.tools.replay.plan import Plan
from shared.kit.tools.replay.schema import ShadowSchema
from shared.kit.tools.replay.shadow_consumer import ShadowConsumer

NEARLY_CAUGHT_UP_EVENTS = 2 * MAX_BATCH_RECORDS
MAX_CATCH_UP_ROUNDS = 5
"""Rounds of reading while the live group goes on; then it is held for what is left."""
ProgressCallback = Callable[[str], None]


@dataclass
class LiveLock:
    """The transaction that holds the live side still, and, afterwards, for how long it did."""

    connection: AsyncConnection
    seconds: float = 0.0


@dataclass
class Replay:
    """A service's room, the two readers that fill it, and the live database beside it."""

    plan: Plan
    shadow: ShadowSchema
    engine: AsyncEngine
    bus: Bus
    consumer: ShadowConsumer
    own_facts_consumer: ShadowConsumer | None
    report_progress: ProgressCallback

    async def fill_shadow(self) -> live.GroupPosition:
        """Read on until little is missing; give where the live group stood."""
        standing = live.GroupPosition({}, {})
        for _ in range(MAX_CATCH_UP_ROUNDS):
            # Own facts first: what they tell of was delivered before, and will have been read.
            told = await self._told()
            async with live.open_snapshot(self.engine) as connection:
                standing = await self._standing(connection)
            before = self.consumer.events
            await self.catch_up(standing, told)
            self.report_progress(f"{self.consumer.events:,} events read")
            if self.consumer.events - before < NEARLY_CAUGHT_UP_EVENTS:
                break
        async with self.engine.begin() as connection:
            await schema.analyze(connection, self.shadow, self.plan.tables)
        return standing

    async def _standing(self, connection: AsyncConnection) -> live.GroupPosition:
        return await live.read_group_position(
            connection, self.plan.name, self.consumer.consumer.topics
        )

    @property
    def events(self) -> int:
        """Count what was read so far."""
        return self.consumer.events + (
            self.own_facts_consumer.events if self.own_facts_consumer else 0
        )

    async def _told(self) -> Mapping[Partition, int]:
        """Return how far the service's own facts go that it remembers."""
        return (
            (await self.bus.get_log_bounds(self.plan.own_topics)).end
            if self.own_facts_consumer
            else {}
        )

    async def catch_up(self, standing: live.GroupPosition, told: Mapping[Partition, int]) -> None:
        """Read exactly as far as the live group has, then what the service told by then."""
        await self.consumer.exclude_unapplied(standing)
        await self.consumer.apply_until(standing.next_offsets)
        await self.consumer.retry_parked()
        if self.own_facts_consumer is not None:
            await self.own_facts_consumer.apply_until(told)

    @asynccontextmanager
    async def lock_live_at_same_offset(self) -> AsyncIterator["LiveLock"]:
        """Hold the live side still at a moment at which the shadow has read just as far."""
        began = time.perf_counter()
        async with live.lock_live_tables(self.engine, self.plan) as connection:
            standing = await self._standing(connection)
            await live.wait_until_own_facts_sent(connection, self.plan)
            await self.catch_up(standing, await self._told())
            held = LiveLock(connection)
            yield held
        held.seconds = time.perf_counter() - began

    async def list_tenants(self) -> set[UUID]:
        """Name all tenants there are: the owner of the tables sees only the rows that it names."""
        found: set[UUID] = set(self.consumer.database.tenants)
        try:
            ends = (await self.bus.get_log_bounds([TenantOpened.TOPIC])).end
        except NotFound:
            return found
        spans = {place: (0, end) for place, end in ends.items()}
        async with aclosing(read_batches(self.bus, spans, ReadOrder.TOPICS)) as read:
            async for batch in read:
                for record in batch:
                    with suppress(*DECODE_ERRORS):
                        found.add(decode_envelope(record.value or b"").tenant)
        return found

    async def close(self) -> None:
        """Close the connections of the readers."""
        await self.consumer.database.stop()
        if self.own_facts_consumer is not None:
            await self.own_facts_consumer.database.stop()
        await self.plan.service.database.stop()
