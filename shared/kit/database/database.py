"""The database as a service uses it: pools, units of work, and the tenants each may see."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from shared.contracts.ids import TenantId
from shared.kit.core.errors import PreauError, Transient
from shared.kit.core.failpoints import hit_failpoint
from shared.kit.core.unit_of_work import Caller, Clock, NewId, Unit
from shared.kit.database import outbox
from shared.kit.database.audit import chain
from shared.kit.database.notifier import OutboxNotifier
from shared.kit.database.overload import QUEUE_RETRY_SECONDS, LoadMonitor, retry_after_with_jitter
from shared.kit.database.pending_writes import PendingWrites, Trace
from shared.kit.database.tls import engine_address
from shared.kit.database.transaction import transaction

SESSION_SETTINGS = {
    "idle_in_transaction_session_timeout": "5s",
    # Trap: who freezes between the messages of one statement (many rows are many messages) is not
    # idle, and no statement runs: only this one ends it. It bounds every transaction of ours.
    "transaction_timeout": "15s",
}
"""A zombie's locks must not hold the new owner for long: PostgreSQL ends its transaction."""

CONNECT_TIMEOUT_SECONDS = 3.0
"""Seconds that making a connection may take."""
STATEMENT_TIMEOUT_SECONDS = 15.0
"""Seconds that a statement may take: a server that froze never says that it is gone."""
_TRANSIENT_CLASSES = ("08", "40", "53", "57P", "25P03", "25P04")
_RIGHTS = sa.text("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")


class UnsafeRole(PreauError):
    """The service's role could see every tenant's rows; it must not start."""

    key = "unsafe_role"


def is_transient(error: BaseException) -> bool:
    """Return whether trying again may help: lost connections, deadlocks, a server going down."""
    if isinstance(error, Transient | PoolTimeout | InterfaceError | OSError | TimeoutError):
        return True
    # Trap: a statement on a connection whose server died a moment ago.
    if isinstance(error, asyncpg.InternalClientError | asyncpg.InterfaceError):
        return True
    # While a connection is being made, the driver's own errors come through as they are.
    told = error.orig if isinstance(error, DBAPIError) else error
    state = getattr(told, "sqlstate", None) or ""
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    return lost or str(state).startswith(_TRANSIENT_CLASSES)


@dataclass
class SqlUnit(PendingWrites):
    """A unit of work on one connection; see `core.unit_of_work.Unit` for its promises."""

    connection: AsyncConnection = field(kw_only=True)
    wrote_events: bool = False

    async def flush(self) -> None:
        """Write the facts and audit rows noted so far."""
        entries, self.events = self.events, []
        changes, self.audit_entries = self.audit_entries, []
        self.wrote_events = self.wrote_events or bool(entries)
        await outbox.write(self.connection, entries, service=self.service, now=self.now)
        await chain.append(self.connection, changes, self.now)


@dataclass
class OpenUnit:
    """A unit that is already open and that the caller's handlers join instead of committing."""

    unit: SqlUnit


def connection(unit: Unit) -> AsyncConnection:
    """Return a store the transaction of this unit. Raises TypeError for a unit without one."""
    if not isinstance(unit, SqlUnit):
        msg = f"{type(unit).__name__} has no database transaction"
        raise TypeError(msg)
    return unit.connection


def _refuse_closed(connected: Any, *_: object) -> None:
    """Let the pool replace a connection that the server closed: known without asking it."""
    if connected.driver_connection.is_closed():
        raise DisconnectionError


class Database:
    """One service's database, under its app role. Opens nothing until `start`."""

    def __init__(
        self,
        service: str,
        url: str,
        *,
        clock: Clock,
        new_id: NewId,
        trace: Trace,
        load_monitor: LoadMonitor | None = None,
    ) -> None:
        self.service = service
        self.outbox_changed = asyncio.Event()
        self.load_monitor = load_monitor or LoadMonitor(f"preau-{service}")
        self._clock, self._new_id, self._trace = clock, new_id, trace
        self._announcer: OutboxNotifier | None = None
        address, tls = engine_address(url)
        self._engine: AsyncEngine = create_async_engine(
            address,
            # All of them are kept: one beyond the pool's size would be made and closed each time.
            pool_size=self.load_monitor.limits.pool_size,
            max_overflow=0,
            pool_timeout=self.load_monitor.limits.max_wait_seconds,
            hide_parameters=True,
            # `transaction` begins and ends them.
            isolation_level="AUTOCOMMIT",
            connect_args={
                **tls,
                "timeout": CONNECT_TIMEOUT_SECONDS,
                "command_timeout": STATEMENT_TIMEOUT_SECONDS,
                "server_settings": {
                    "application_name": f"preau-{service}",
                    **SESSION_SETTINGS,
                },
            },
        )

        sa.event.listen(self._engine.sync_engine, "checkout", _refuse_closed)

    @property
    def engine(self) -> AsyncEngine:
        """The pool itself, for telemetry and tests."""
        return self._engine

    async def start(self) -> None:
        """Connect. Raises `UnsafeRole` when the role is above row-level security."""
        async with self._engine.connect() as connected:
            if await connected.scalar(_RIGHTS):
                raise UnsafeRole(service=self.service)

    def start_notifier(self) -> None:
        """Tell relays in other processes of what is written, from now on."""
        self._announcer = OutboxNotifier(self._engine)

    async def stop(self) -> None:
        """Close every connection."""
        if self._announcer is not None:
            await self._announcer.stop()
        await self._engine.dispose()

    @asynccontextmanager
    async def unit(self, caller: Caller) -> AsyncIterator[SqlUnit]:
        """Open a unit for this caller, or join the one that it holds."""
        if isinstance(caller.open_unit, OpenUnit):
            yield caller.open_unit.unit
            return
        if caller.open_unit is not None:
            raise TypeError("a route that is light has a command that is not")
        async with self.unit_for([caller.tenant]) as unit:
            unit.caller = caller
            yield unit
            await unit.flush()
            hit_failpoint("unit.written")
        hit_failpoint("unit.committed")

    @asynccontextmanager
    async def open_unit(self, caller: Caller) -> AsyncIterator[OpenUnit]:
        """Open a unit that later calls with `Caller(held=…)` join; leaving it commits."""
        async with self.unit(caller) as unit:
            yield OpenUnit(unit)

    @asynccontextmanager
    async def unit_for(self, tenants: Iterable[TenantId]) -> AsyncIterator[SqlUnit]:
        """Open a unit that sees these tenants; commits when left without an error.

        Raises `Transient` for whatever may work if tried again.
        """
        try:
            async with self._connected(tenants) as connected:
                unit = self._unit_on(connected)
                yield unit
                await unit.flush()
        except PreauError:
            raise
        except Exception as error:
            if is_transient(error):
                raise Transient(
                    because=type(error).__name__,
                    retry_after=retry_after_with_jitter(QUEUE_RETRY_SECONDS),
                ) from error
            raise
        if unit.wrote_events:
            self.signal_outbox_changed()

    def signal_outbox_changed(self) -> None:
        """Let relays know that facts were written."""
        self.outbox_changed.set()
        if self._announcer is not None:
            self._announcer.notify()

    def unit_defaults(self, caller: Caller) -> dict[str, Any]:
        """Return what a unit of this database begins with, wherever it writes."""
        fields = {"service": self.service, "now": self._clock(), "new_id": self._new_id}
        return {**fields, "trace": self._trace, "caller": caller}

    @asynccontextmanager
    async def pooled_connection(self) -> AsyncIterator[AsyncConnection]:
        """Take a connection of the pool, outside of any transaction, and note how long that took.

        Raises SQLAlchemy's own `TimeoutError` without one.
        """
        began = time.perf_counter()
        async with self._engine.connect() as opened:
            self.load_monitor.record_pool_wait(time.perf_counter() - began)
            yield opened

    @asynccontextmanager
    async def _connected(self, tenants: Iterable[TenantId]) -> AsyncIterator[AsyncConnection]:
        """Open a transaction on a connection of the pool, and note how long that one took."""
        began = time.perf_counter()
        async with AsyncExitStack() as stack:
            try:
                opened = await stack.enter_async_context(self._engine.connect())
            except PoolTimeout as error:
                raise self.load_monitor.record_pool_timeout() from error
            self.load_monitor.record_pool_wait(time.perf_counter() - began)
            yield await stack.enter_async_context(transaction(opened, tenants))

    @asynccontextmanager
    async def savepoint(self, unit: SqlUnit) -> AsyncIterator[SqlUnit]:
        """Open a part of a unit that can fail alone, its facts with it."""
        part = self._unit_on(unit.connection)
        async with unit.connection.begin_nested():
            yield part
            await part.flush()
        unit.wrote_events = unit.wrote_events or part.wrote_events

    def _unit_on(self, connected: AsyncConnection) -> SqlUnit:
        now = self._clock()
        return SqlUnit(self.service, now, self._new_id, self._trace, connection=connected)

    async def execute_once(
        self, statement: sa.TextClause, tenants: Sequence[TenantId] = (), **values: Any
    ) -> Sequence[sa.Row[Any]]:
        """Run one statement in a transaction of its own and give its rows (for the frame)."""
        async with self.unit_for(tenants) as unit:
            result = await unit.connection.execute(statement, values)
            return result.all() if result.returns_rows else ()
