"""One replay from beginning to end: make room, read, hold still, compare, exchange."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from uuid_utils.compat import uuid7

from shared.kit.core.bus import Bus
from shared.kit.core.host import Host
from shared.kit.database.tls import engine_address
from shared.kit.inbox.consumer import BatchConsumer
from shared.kit.inbox.retry_limits import RetryLimits
from shared.kit.telemetry.noop import NoTelemetry
from shared.kit.tools.replay import live, schema
from shared.kit.tools.replay.catch_up import ProgressCallback, Replay
from shared.kit.tools.replay.compare import compare, set_visible_tenants
from shared.kit.tools.replay.errors import ReplayRefused
from shared.kit.tools.replay.feed import ReadOrder
from shared.kit.tools.replay.plan import Plan, placeholder_settings, plan_replay
from shared.kit.tools.replay.report import Report
from shared.kit.tools.replay.schema import ShadowSchema, ShadowState
from shared.kit.tools.replay.shadow import LogClock, ShadowDatabase
from shared.kit.tools.replay.shadow_consumer import ShadowConsumer
from shared.kit.tools.replay.swap import swap_tables

_ALONE = sa.text("SELECT pg_try_advisory_lock(7241002)")
_LOOK = sa.text("SELECT count(*) FROM positions")


@dataclass(frozen=True)
class ReplayRequest:
    """What is wanted of a replay."""

    service: str
    into: str = "shadow"
    since: datetime | None = None
    order: ReadOrder = ReadOrder.TIME
    compare: bool = False
    swap: bool = False


@dataclass(frozen=True)
class Rebuilder:
    """Replays services of one installation. `owner_url` is the service's database as its owner."""

    owner_url: str
    bus: Bus
    environment: Mapping[str, str]
    report_progress: ProgressCallback = lambda _: None

    async def run(self, wish: ReplayRequest) -> Report:
        """Rebuild, and compare or swap as wished. Raises `ReplayError`."""
        if wish.swap and wish.since is not None:
            raise ReplayRefused("A swap needs the whole log: leave --from out.")
        plan, clock = self._plan(wish.service)
        async with self._engine() as engine:
            room = await self._make_room(engine, plan, wish)
            async with self._opened(plan, room, engine, clock, wish.order) as replay:
                if wish.since is not None:
                    await self._begin_late(replay, wish.since)
                return await self._run(replay, wish)

    async def undo(self, service: str, into: str) -> Report:
        """Bring back what a swap replaced, with all that happened since. Raises `ReplayError`."""
        plan, clock = self._plan(service)
        async with self._engine() as engine:
            async with engine.connect() as connection:
                room = await schema.find(connection, into)
            if room is None or room.state is not ShadowState.SWAPPED:
                raise ReplayRefused(f"Schema {into} holds nothing that a swap replaced.")
            async with self._opened(plan, room, engine, clock, ReadOrder.TIME) as replay:
                return await self._run(replay, ReplayRequest(service, into, swap=True))

    async def drop(self, into: str) -> bool:
        """Remove a replay's schema; False when there is none. Raises `ReplayError`."""
        async with self._engine() as engine, engine.begin() as connection:
            room = await schema.find(connection, into)
            if room is not None:
                await schema.drop(connection, room)
            return room is not None

    async def _begin_late(self, replay: Replay, since: datetime) -> None:
        """Begin at a moment, from copies of what is live where that is possible."""
        tenants = await replay.list_tenants()
        async with live.open_snapshot(replay.engine, writable=True) as connection:
            await set_visible_tenants(connection, tenants)
            await schema.seed(connection, replay.shadow, replay.plan.tables)
        for each in (replay.consumer, replay.own_facts_consumer):
            if each is not None:
                await each.start_at(since)

    async def _run(self, replay: Replay, wish: ReplayRequest) -> Report:
        report = Report(wish.service, replay.shadow.schema, replay.shadow.consumer_group)
        report.since = wish.since.isoformat() if wish.since else None
        began = time.perf_counter()
        standing = await replay.fill_shadow()
        report.seconds = time.perf_counter() - began
        report.left_out = len(standing.unapplied)
        if wish.compare or wish.swap:
            await self._compare(replay, report)
        report.failed = await replay.consumer.list_failures()
        if wish.swap and not report.failed:
            await self._swap(replay, report)
        elif replay.shadow.state is ShadowState.BUILDING:
            async with replay.engine.begin() as connection:
                await schema.mark(connection, replace(replay.shadow, state=ShadowState.READY))
        report.events = replay.events
        report.outcomes = await replay.consumer.count_outcomes()
        report.dropped_facts = dict(replay.consumer.database.dropped)
        if replay.own_facts_consumer is not None:
            report.remembered = await replay.own_facts_consumer.count_outcomes()
        return report

    async def _compare(self, replay: Replay, report: Report) -> None:
        """Compare in one snapshot of both sides; the group is held only until that is taken."""
        async with replay.engine.connect() as opened:
            still = await opened.execution_options(isolation_level="REPEATABLE READ")
            async with replay.lock_live_at_same_offset() as held:
                await still.execute(_LOOK)
            report.held = held.seconds
            await set_visible_tenants(still, await replay.list_tenants())
            whole, into = replay.shadow.whole, replay.shadow.schema
            report.tables = await compare(still, into, replay.plan.tables, whole=whole)
        report.compared = True

    async def _swap(self, replay: Replay, report: Report) -> None:
        """Catch up once more with the group held, and exchange the tables."""
        for last in (False, False, True):
            try:
                async with replay.lock_live_at_same_offset() as held:
                    await swap_tables(held.connection, replay.shadow, replay.plan.tables)
                    swapped = replace(replay.shadow, state=ShadowState.SWAPPED)
                    await schema.mark(held.connection, swapped)
            except DBAPIError as error:
                # Somebody who had read a table goes on to write it: one of the two gives way.
                if last or not live.is_lock_conflict(error):
                    raise
            else:
                report.held, report.swapped = held.seconds, True
                return

    def _plan(self, service: str) -> tuple[Plan, LogClock]:
        clock = LogClock()
        environment = placeholder_settings(service, self.owner_url, self.environment)
        return plan_replay(service, Host(self.bus, clock, uuid7, NoTelemetry(), environment)), clock

    @asynccontextmanager
    async def _engine(self) -> AsyncIterator[AsyncEngine]:
        """Connect as the owner; one replay at a time has this database."""
        address, tls = engine_address(self.owner_url)
        engine = create_async_engine(address, connect_args=tls, hide_parameters=True)
        try:
            async with engine.connect() as alone:
                if not await alone.scalar(_ALONE):
                    raise ReplayRefused("Another replay of this service is under way.")
                await alone.commit()
                yield engine
        finally:
            await engine.dispose()

    async def _make_room(
        self, engine: AsyncEngine, plan: Plan, wish: ReplayRequest
    ) -> ShadowSchema:
        run = uuid7().hex[:12]
        room = ShadowSchema(
            wish.into, plan.name, run, ShadowState.BUILDING, whole=wish.since is None
        )
        async with engine.begin() as connection:
            there = await schema.find(connection, wish.into)
            if there is not None and there.state is ShadowState.SWAPPED:
                raise ReplayRefused(
                    f"Schema {wish.into} holds what was live before a swap:"
                    " --undo or --drop it first."
                )
            if there is not None:
                await schema.drop(connection, there)
            await schema.create(connection, room, plan.tables)
        return room

    @asynccontextmanager
    async def _opened(
        self, plan: Plan, room: ShadowSchema, engine: AsyncEngine, clock: LogClock, order: ReadOrder
    ) -> AsyncIterator[Replay]:
        def reading(group: str, schemas: tuple[str, ...], order: ReadOrder) -> ShadowConsumer:
            database = ShadowDatabase(plan.name, self.owner_url, schemas, clock)
            own = group != room.consumer_group
            reactions = plan.service.replay_only_reactions if own else plan.reactions
            consumer = BatchConsumer(group, database, reactions, self.bus, clock, NoTelemetry())
            # It begins anew in each round, also where nothing is left to read.
            consumer.retry_limits = RetryLimits(max_starts=0)
            return ShadowConsumer(consumer, database, self.bus, clock, order)

        reader = reading(room.consumer_group, (room.discard_schema, room.schema), order)
        memory = None
        if plan.service.replay_only_reactions:
            memory = reading(f"{room.consumer_group}.own", (room.schema,), ReadOrder.TIME)
        replay = Replay(plan, room, engine, self.bus, reader, memory, self.report_progress)
        try:
            yield replay
        finally:
            await replay.close()
