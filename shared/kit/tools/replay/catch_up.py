"""A running replay: shadow schema, its consumers, and the live side that they catch up with."""

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
"""Rounds of reading while the live group runs; then it is locked for the rest."""
ProgressCallback = Callable[[str], None]


@dataclass
class LiveLock:
    """The transaction that locks the live tables; afterwards, `seconds` is the time it was open."""

    connection: AsyncConnection
    seconds: float = 0.0


@dataclass
class Replay:
    """Shadow schema of a service, the two consumers that fill it, and the live database."""

    plan: Plan
    shadow: ShadowSchema
    engine: AsyncEngine
    bus: Bus
    consumer: ShadowConsumer
    own_facts_consumer: ShadowConsumer | None
    report_progress: ProgressCallback

    async def fill_shadow(self) -> live.GroupPosition:
        """Read until little is missing; return the last position of the live group."""
        position = live.GroupPosition({}, {})
        for _ in range(MAX_CATCH_UP_ROUNDS):
            # Ends of own events first: the events that caused them are before the live position.
            own_ends = await self._own_fact_ends()
            async with live.open_snapshot(self.engine) as connection:
                position = await self._read_live_position(connection)
            events_before = self.consumer.events
            await self.catch_up(position, own_ends)
            self.report_progress(f"{self.consumer.events:,} events read")
            if self.consumer.events - events_before < NEARLY_CAUGHT_UP_EVENTS:
                break
        async with self.engine.begin() as connection:
            await schema.analyze(connection, self.shadow, self.plan.tables)
        return position

    async def _read_live_position(self, connection: AsyncConnection) -> live.GroupPosition:
        return await live.read_group_position(
            connection, self.plan.name, self.consumer.batch_consumer.topics
        )

    @property
    def events(self) -> int:
        """Return the number of records read so far."""
        return self.consumer.events + (
            self.own_facts_consumer.events if self.own_facts_consumer else 0
        )

    async def _own_fact_ends(self) -> Mapping[Partition, int]:
        """Return the end offsets of the service's own events that the replay reads."""
        return (
            (await self.bus.get_log_bounds(self.plan.own_topics)).end
            if self.own_facts_consumer
            else {}
        )

    async def catch_up(
        self, position: live.GroupPosition, own_ends: Mapping[Partition, int]
    ) -> None:
        """Read exactly up to the live group's position, then own events up to these offsets."""
        await self.consumer.exclude_unapplied(position)
        await self.consumer.apply_until(position.next_offsets)
        await self.consumer.retry_parked()
        if self.own_facts_consumer is not None:
            await self.own_facts_consumer.apply_until(own_ends)

    @asynccontextmanager
    async def lock_live_at_same_offset(self) -> AsyncIterator["LiveLock"]:
        """Lock the live side when the shadow has read exactly as far."""
        started_at = time.perf_counter()
        async with live.lock_live_tables(self.engine, self.plan) as connection:
            position = await self._read_live_position(connection)
            await live.wait_until_own_facts_sent(connection, self.plan)
            await self.catch_up(position, await self._own_fact_ends())
            lock = LiveLock(connection)
            yield lock
        lock.seconds = time.perf_counter() - started_at

    async def list_tenants(self) -> set[UUID]:
        """Return the ids of all tenants: the tables' owner sees only rows of named tenants."""
        tenants: set[UUID] = set(self.consumer.database.tenants)
        try:
            ends = (await self.bus.get_log_bounds([TenantOpened.TOPIC])).end
        except NotFound:
            return tenants
        ranges = {partition: (0, end) for partition, end in ends.items()}
        async with aclosing(read_batches(self.bus, ranges, ReadOrder.TOPICS)) as record_batches:
            async for batch in record_batches:
                for record in batch:
                    with suppress(*DECODE_ERRORS):
                        tenants.add(decode_envelope(record.value or b"").tenant)
        return tenants

    async def close(self) -> None:
        """Close the database connections."""
        await self.consumer.database.stop()
        if self.own_facts_consumer is not None:
            await self.own_facts_consumer.database.stop()
        await self.plan.service.database.stop()
