"""The database as a service uses it: pools, units of work, and the tenants each may see."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from shared.contracts.event import Fact, Origin, value_at
from shared.contracts.ids import EventId, TenantId
from shared.kit import audit, outbox
from shared.kit.announcing import Announcer
from shared.kit.errors import PreauError, Transient
from shared.kit.failpoints import reached
from shared.kit.pressure import SOON, Pressure, back_in
from shared.kit.transactions import transaction
from shared.kit.unit import Because, Caller, Clock, NewId, Unit

SESSION = {
    "idle_in_transaction_session_timeout": "5s",
    # Trap: who freezes between the messages of one statement (many rows are many messages) is not
    # idle, and no statement runs: only this one ends it. It bounds every transaction of ours.
    "transaction_timeout": "15s",
}
"""A zombie's locks must not hold the new owner for long: PostgreSQL ends its transaction."""

CONNECT = 3.0
"""Seconds that making a connection may take."""
COMMAND = 15.0
"""Seconds that a statement may take: a server that froze never says that it is gone."""
_TRANSIENT_CLASSES = ("08", "40", "53", "57P", "25P03", "25P04")
_RIGHTS = sa.text("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")

Trace = Callable[[Fact, EventId, str | None], str | None]
"""Opens and closes the `create` span of a fact and gives its traceparent."""


class UnsafeRole(PreauError):
    """The service's role could see every tenant's rows; it must not start."""

    key = "unsafe_role"


def is_transient(error: BaseException) -> bool:
    """Tell whether trying again may help: lost connections, deadlocks, a server going down."""
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
class SqlUnit:
    """A unit of work on one connection; see `shared.kit.unit.Unit` for its promises."""

    connection: AsyncConnection
    service: str
    now: datetime
    new_id: NewId
    trace: Trace
    caller: Caller | None = None
    entries: list[outbox.Entry] = field(default_factory=list)
    changes: list[audit.Change] = field(default_factory=list)
    wrote: bool = False

    def record(
        self, fact: Fact, *, because: Because | None = None, at: datetime | None = None
    ) -> EventId:
        """Note a fact; it is written when the unit commits."""
        why = because or self.caller
        if why is None:
            msg = f"{type(fact).__name__}: a reaction must say which delivery it follows from"
            raise TypeError(msg)
        event_id = EventId(self.new_id())
        trace = self.trace(fact, event_id, why.traceparent)
        when = at or self.now
        entry = outbox.entry_of(fact, why, event_id=event_id, at=when, traceparent=trace)
        self.entries.append(entry)
        self._audit(fact, why, event_id)
        return event_id

    def _audit(self, fact: Fact, why: Because, event_id: EventId) -> None:
        # An import is one person's one act, audited by the import itself, not line by line.
        if isinstance(why, Caller) and why.member_id and why.origin is Origin.LIVE:
            self.audit(why, fact.wire_type(), value_at(fact, fact.SUBJECT), event=str(event_id))

    def audit(self, caller: Caller, action: str, subject: UUID, **details: str | int) -> None:
        """Leave an audit row for something that a person did and no fact tells."""
        if caller.member_id is not None:
            change = audit.Change(caller.tenant, caller.member_id, action, subject, details)
            self.changes.append(change)

    async def flush(self) -> None:
        """Write the facts and audit rows noted so far."""
        entries, self.entries = self.entries, []
        changes, self.changes = self.changes, []
        self.wrote = self.wrote or bool(entries)
        await outbox.write(self.connection, entries, service=self.service, now=self.now)
        await audit.append(self.connection, changes, self.now)


@dataclass
class Held:
    """A unit that is already open and that the caller's handlers join instead of committing."""

    unit: SqlUnit


def connection(unit: Unit) -> AsyncConnection:
    """Give a store the transaction of this unit. Raises TypeError for a unit without one."""
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
        pressure: Pressure | None = None,
    ) -> None:
        self.service = service
        self.written = asyncio.Event()
        self.pressure = pressure or Pressure(f"preau-{service}")
        self._clock, self._new_id, self._trace = clock, new_id, trace
        self._announcer: Announcer | None = None
        self._engine: AsyncEngine = create_async_engine(
            url,
            # All of them are kept: one beyond the pool's size would be made and closed each time.
            pool_size=self.pressure.limits.connections,
            max_overflow=0,
            pool_timeout=self.pressure.limits.wait,
            hide_parameters=True,
            # `transaction` begins and ends them.
            isolation_level="AUTOCOMMIT",
            connect_args={
                "timeout": CONNECT,
                "command_timeout": COMMAND,
                "server_settings": {
                    "application_name": f"preau-{service}",
                    **SESSION,
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

    def announce(self) -> None:
        """Tell relays in other processes of what is written, from now on."""
        self._announcer = Announcer(self._engine)

    async def stop(self) -> None:
        """Close every connection."""
        if self._announcer is not None:
            await self._announcer.stop()
        await self._engine.dispose()

    @asynccontextmanager
    async def unit(self, caller: Caller) -> AsyncIterator[SqlUnit]:
        """Open a unit for this caller, or join the one that it holds."""
        if isinstance(caller.held, Held):
            yield caller.held.unit
            return
        async with self.batch([caller.tenant]) as unit:
            unit.caller = caller
            yield unit
            await unit.flush()
            reached("unit.written")
        reached("unit.committed")

    @asynccontextmanager
    async def hold(self, caller: Caller) -> AsyncIterator[Held]:
        """Open a unit that later calls with `Caller(held=…)` join; leaving it commits."""
        async with self.unit(caller) as unit:
            yield Held(unit)

    @asynccontextmanager
    async def batch(self, tenants: Iterable[TenantId]) -> AsyncIterator[SqlUnit]:
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
                raise Transient(because=type(error).__name__, retry_after=back_in(SOON)) from error
            raise
        if unit.wrote:
            self.written.set()
            if self._announcer is not None:
                self._announcer.ring()

    @asynccontextmanager
    async def _connected(self, tenants: Iterable[TenantId]) -> AsyncIterator[AsyncConnection]:
        """Open a transaction on a connection of the pool, and note how long that one took."""
        began = time.perf_counter()
        async with AsyncExitStack() as stack:
            try:
                opened = await stack.enter_async_context(self._engine.connect())
            except PoolTimeout as error:
                raise self.pressure.gave_up() from error
            self.pressure.waited(time.perf_counter() - began)
            yield await stack.enter_async_context(transaction(opened, tenants))

    @asynccontextmanager
    async def savepoint(self, unit: SqlUnit) -> AsyncIterator[SqlUnit]:
        """Open a part of a unit that can fail alone, its facts with it."""
        part = self._unit_on(unit.connection)
        async with unit.connection.begin_nested():
            yield part
            await part.flush()
        unit.wrote = unit.wrote or part.wrote

    def _unit_on(self, connected: AsyncConnection) -> SqlUnit:
        return SqlUnit(connected, self.service, self._clock(), self._new_id, self._trace)

    async def rows(
        self, statement: sa.TextClause, tenants: Sequence[TenantId] = (), **values: Any
    ) -> Sequence[sa.Row[Any]]:
        """Run one statement in a transaction of its own and give its rows (for the frame)."""
        async with self.batch(tenants) as unit:
            result = await unit.connection.execute(statement, values)
            return result.all() if result.returns_rows else ()
