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
from shared.kit.inbox.decode import UNREADABLE
from shared.kit.tools.replay import live, schema
from shared.kit.tools.replay.applying import Applying
from shared.kit.tools.replay.feed import BATCH, Order, batches
from shared.kit.tools.replay.plan import Plan
from shared.kit.tools.replay.schema import Room

NEARLY = 2 * BATCH
ROUNDS = 5
"""Rounds of reading while the live group goes on; then it is held for what is left."""
Tell = Callable[[str], None]


@dataclass
class Held:
    """The transaction that holds the live side still, and, afterwards, for how long it did."""

    connection: AsyncConnection
    seconds: float = 0.0


@dataclass
class Replay:
    """A service's room, the two readers that fill it, and the live database beside it."""

    plan: Plan
    room: Room
    engine: AsyncEngine
    bus: Bus
    reader: Applying
    memory: Applying | None
    tell: Tell

    async def fill(self) -> live.Standing:
        """Read on until little is missing; give where the live group stood."""
        standing = live.Standing({}, {})
        for _ in range(ROUNDS):
            # Own facts first: what they tell of was delivered before, and will have been read.
            told = await self._told()
            async with live.snapshot(self.engine) as connection:
                standing = await self._standing(connection)
            before = self.reader.events
            await self.catch_up(standing, told)
            self.tell(f"{self.reader.events:,} events read")
            if self.reader.events - before < NEARLY:
                break
        async with self.engine.begin() as connection:
            await schema.analyze(connection, self.room, self.plan.tables)
        return standing

    async def _standing(self, connection: AsyncConnection) -> live.Standing:
        return await live.standing(connection, self.plan.name, self.reader.consumer.topics)

    @property
    def events(self) -> int:
        """Count what was read so far."""
        return self.reader.events + (self.memory.events if self.memory else 0)

    async def _told(self) -> Mapping[Partition, int]:
        """Say how far the service's own facts go that it remembers."""
        return (await self.bus.progress(self.plan.own_topics)).end if self.memory else {}

    async def catch_up(self, standing: live.Standing, told: Mapping[Partition, int]) -> None:
        """Read exactly as far as the live group has, then what the service told by then."""
        await self.reader.leave_out(standing)
        await self.reader.read_to(standing.positions)
        await self.reader.try_parked_again()
        if self.memory is not None:
            await self.memory.read_to(told)

    @asynccontextmanager
    async def level(self) -> AsyncIterator["Held"]:
        """Hold the live side still at a moment at which the shadow has read just as far."""
        began = time.perf_counter()
        async with live.held_still(self.engine, self.plan) as connection:
            standing = await self._standing(connection)
            await live.own_facts_sent(connection, self.plan)
            await self.catch_up(standing, await self._told())
            held = Held(connection)
            yield held
        held.seconds = time.perf_counter() - began

    async def tenants(self) -> set[UUID]:
        """Name all tenants there are: the owner of the tables sees only the rows that it names."""
        found: set[UUID] = set(self.reader.database.tenants)
        try:
            ends = (await self.bus.progress([TenantOpened.TOPIC])).end
        except NotFound:
            return found
        spans = {place: (0, end) for place, end in ends.items()}
        async with aclosing(batches(self.bus, spans, Order.TOPICS)) as read:
            async for batch in read:
                for record in batch:
                    with suppress(*UNREADABLE):
                        found.add(decode_envelope(record.value or b"").tenant)
        return found

    async def close(self) -> None:
        """Close the connections of the readers."""
        await self.reader.database.stop()
        if self.memory is not None:
            await self.memory.database.stop()
        await self.plan.service.database.stop()
