"""One replay from start to end: create the schema, read the log, lock, compare, swap."""

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

_TRY_LOCK = sa.text("SELECT pg_try_advisory_lock(7241002)")
_TAKE_SNAPSHOT = sa.text("SELECT count(*) FROM positions")


@dataclass(frozen=True)
class ReplayRequest:
    """Options of a replay."""

    service: str
    into: str = "shadow"
    since: datetime | None = None
    order: ReadOrder = ReadOrder.TIME
    compare: bool = False
    swap: bool = False


@dataclass(frozen=True)
class Rebuilder:
    """Replays services of one installation. `owner_url` is the service's database, as its owner."""

    owner_url: str
    bus: Bus
    environment: Mapping[str, str]
    report_progress: ProgressCallback = lambda _: None

    async def run(self, request: ReplayRequest) -> Report:
        """Rebuild a service's tables, then compare or swap as requested. Raises `ReplayError`."""
        if request.swap and request.since is not None:
            raise ReplayRefused("A swap needs the whole log: leave out --from.")
        plan, clock = self._make_plan(request.service)
        async with self._open_engine() as engine:
            shadow = await self._create_schema(engine, plan, request)
            async with self._open_replay(plan, shadow, engine, clock, request.order) as replay:
                if request.since is not None:
                    await self._start_from_copies(replay, request.since)
                return await self._run(replay, request)

    async def undo(self, service: str, into: str) -> Report:
        """Restore the tables that a swap replaced, with the events since. Raises `ReplayError`."""
        plan, clock = self._make_plan(service)
        async with self._open_engine() as engine:
            async with engine.connect() as connection:
                shadow = await schema.find(connection, into)
            if shadow is None or shadow.state is not ShadowState.SWAPPED:
                raise ReplayRefused(f"Schema {into} contains no tables that a swap replaced.")
            async with self._open_replay(plan, shadow, engine, clock, ReadOrder.TIME) as replay:
                return await self._run(replay, ReplayRequest(service, into, swap=True))

    async def drop(self, into: str) -> bool:
        """Drop a replay's schema; returns False if there is none. Raises `ReplayError`."""
        async with self._open_engine() as engine, engine.begin() as connection:
            shadow = await schema.find(connection, into)
            if shadow is not None:
                await schema.drop(connection, shadow)
            return shadow is not None

    async def _start_from_copies(self, replay: Replay, since: datetime) -> None:
        """Start at a time, with copies of the live tables that are not cumulative."""
        tenants = await replay.list_tenants()
        async with live.open_snapshot(replay.engine, writable=True) as connection:
            await set_visible_tenants(connection, tenants)
            await schema.seed(connection, replay.shadow, replay.plan.tables)
        for consumer in (replay.consumer, replay.own_facts_consumer):
            if consumer is not None:
                await consumer.start_at(since)

    async def _run(self, replay: Replay, request: ReplayRequest) -> Report:
        report = Report(request.service, replay.shadow.schema, replay.shadow.consumer_group)
        report.since = request.since.isoformat() if request.since else None
        started_at = time.perf_counter()
        position = await replay.fill_shadow()
        report.seconds = time.perf_counter() - started_at
        report.left_out = len(position.unapplied)
        if request.compare or request.swap:
            await self._compare(replay, report)
        report.failed = await replay.consumer.list_failures()
        if request.swap and not report.failed:
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
        """Compare in one snapshot of both sides; the group is locked only until it is taken."""
        async with replay.engine.connect() as engine_connection:
            snapshot = await engine_connection.execution_options(isolation_level="REPEATABLE READ")
            async with replay.lock_live_at_same_offset() as lock:
                await snapshot.execute(_TAKE_SNAPSHOT)
            report.held = lock.seconds
            await set_visible_tenants(snapshot, await replay.list_tenants())
            is_whole, into = replay.shadow.whole, replay.shadow.schema
            report.tables = await compare(snapshot, into, replay.plan.tables, whole=is_whole)
        report.compared = True

    async def _swap(self, replay: Replay, report: Report) -> None:
        """Read the rest with the group locked, and exchange the tables."""
        for is_last_attempt in (False, False, True):
            try:
                async with replay.lock_live_at_same_offset() as lock:
                    await swap_tables(lock.connection, replay.shadow, replay.plan.tables)
                    swapped = replace(replay.shadow, state=ShadowState.SWAPPED)
                    await schema.mark(lock.connection, swapped)
            except DBAPIError as error:
                # Deadlock with a transaction that had read a table and now writes it.
                if is_last_attempt or not live.is_lock_conflict(error):
                    raise
            else:
                report.held, report.swapped = lock.seconds, True
                return

    def _make_plan(self, service: str) -> tuple[Plan, LogClock]:
        clock = LogClock()
        environment = placeholder_settings(service, self.owner_url, self.environment)
        return plan_replay(service, Host(self.bus, clock, uuid7, NoTelemetry(), environment)), clock

    @asynccontextmanager
    async def _open_engine(self) -> AsyncIterator[AsyncEngine]:
        """Connect as the owner, with an advisory lock that allows one replay at a time."""
        address, tls = engine_address(self.owner_url)
        engine = create_async_engine(address, connect_args=tls, hide_parameters=True)
        try:
            async with engine.connect() as lock_connection:
                if not await lock_connection.scalar(_TRY_LOCK):
                    raise ReplayRefused(
                        "Another replay of this service is under way: wait until it ends."
                    )
                await lock_connection.commit()
                yield engine
        finally:
            await engine.dispose()

    async def _create_schema(
        self, engine: AsyncEngine, plan: Plan, request: ReplayRequest
    ) -> ShadowSchema:
        run = uuid7().hex[:12]
        shadow = ShadowSchema(
            request.into, plan.name, run, ShadowState.BUILDING, whole=request.since is None
        )
        async with engine.begin() as connection:
            existing = await schema.find(connection, request.into)
            if existing is not None and existing.state is ShadowState.SWAPPED:
                raise ReplayRefused(
                    f"Schema {request.into} holds what was live before a swap:"
                    " --undo or --drop it first."
                )
            if existing is not None:
                await schema.drop(connection, existing)
            await schema.create(connection, shadow, plan.tables)
        return shadow

    @asynccontextmanager
    async def _open_replay(
        self,
        plan: Plan,
        shadow: ShadowSchema,
        engine: AsyncEngine,
        clock: LogClock,
        order: ReadOrder,
    ) -> AsyncIterator[Replay]:
        def make_consumer(group: str, schemas: tuple[str, ...], order: ReadOrder) -> ShadowConsumer:
            database = ShadowDatabase(plan.name, self.owner_url, schemas, clock)
            is_own = group != shadow.consumer_group
            reactions = plan.service.replay_only_reactions if is_own else plan.reactions
            batch_consumer = BatchConsumer(
                group, database, reactions, self.bus, clock, NoTelemetry()
            )
            # Each catch-up round starts the consumer again, even if nothing is left to read.
            batch_consumer.retry_limits = RetryLimits(max_starts=0)
            return ShadowConsumer(batch_consumer, database, self.bus, clock, order)

        consumer = make_consumer(
            shadow.consumer_group, (shadow.discard_schema, shadow.schema), order
        )
        own_facts_consumer = None
        if plan.service.replay_only_reactions:
            own_facts_consumer = make_consumer(
                f"{shadow.consumer_group}.own", (shadow.schema,), ReadOrder.TIME
            )
        replay = Replay(
            plan, shadow, engine, self.bus, consumer, own_facts_consumer, self.report_progress
        )
        try:
            yield replay
        finally:
            await replay.close()
