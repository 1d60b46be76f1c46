"""A service's database: connection pool, units of work, and the tenants that each unit may see."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, cast

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
    # Trap: a process that freezes between the messages of one statement (many rows are many
    # messages) is neither idle nor running a statement. Only this timeout ends its transaction.
    "transaction_timeout": "15s",
}
"""PostgreSQL ends the transaction of a frozen process, so that its locks do not block others."""

CONNECT_TIMEOUT_SECONDS = 3.0
STATEMENT_TIMEOUT_SECONDS = 15.0
"""A limit in the client: a frozen server does not report an error."""
_TRANSIENT_SQLSTATES = ("08", "40", "53", "57P", "25P03", "25P04")
_ROLE_BYPASSES_RLS = sa.text(
    "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
)


class UnsafeRole(PreauError):
    """The service's role bypasses row-level security; the service must not start."""

    key = "unsafe_role"


def is_transient(error: BaseException) -> bool:
    """Return whether a retry may succeed: lost connection, deadlock, server shutdown."""
    if isinstance(error, Transient | PoolTimeout | InterfaceError | OSError | TimeoutError):
        return True
    # Trap: asyncpg raises these for a statement on a connection whose server has just died.
    if isinstance(error, asyncpg.InternalClientError | asyncpg.InterfaceError):
        return True
    # SQLAlchemy does not wrap the driver's errors while it opens a connection.
    driver_error = error.orig if isinstance(error, DBAPIError) else error
    sqlstate = getattr(driver_error, "sqlstate", None) or ""
    is_lost = isinstance(error, DBAPIError) and error.connection_invalidated
    return is_lost or str(sqlstate).startswith(_TRANSIENT_SQLSTATES)


@dataclass
class SqlUnit(PendingWrites):
    """See `core.unit_of_work.Unit`; one transaction on one connection."""

    is_transaction: ClassVar[Literal[True]] = True
    connection: AsyncConnection = field(kw_only=True)
    wrote_events: bool = False

    async def flush(self) -> None:
        """Write the recorded events and audit entries in this transaction."""
        events, self.events = self.events, []
        audit_entries, self.audit_entries = self.audit_entries, []
        self.wrote_events = self.wrote_events or bool(events)
        await outbox.write(self.connection, events, service=self.service, now=self.now)
        await chain.append(self.connection, audit_entries, self.now)


@dataclass
class OpenUnit:
    """An open transaction that the caller's handlers join; they do not commit it."""

    unit: SqlUnit


def connection(unit: Unit) -> AsyncConnection:
    """Return the connection on which a store runs its SQL in this unit's transaction."""
    # `SqlUnit` is the only implementation: `core` names no database.
    return cast("SqlUnit", unit).connection


def _refuse_closed(dbapi_connection: Any, *_: object) -> None:
    """Let the pool replace a connection that the server closed, without a ping."""
    if dbapi_connection.driver_connection.is_closed():
        raise DisconnectionError


class Database:
    """One service's database, under its app role. It connects in `start`, not before."""

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
        self._notifier: OutboxNotifier | None = None
        address, tls = engine_address(url)
        self._engine: AsyncEngine = create_async_engine(
            address,
            # No overflow: a connection above the pool's size is closed after each use.
            pool_size=self.load_monitor.limits.pool_size,
            max_overflow=0,
            pool_timeout=self.load_monitor.limits.max_wait_seconds,
            hide_parameters=True,
            # `transaction` begins and ends the transactions.
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
        """The SQLAlchemy engine, for telemetry and tests."""
        return self._engine

    async def start(self) -> None:
        """Connect. Raises `UnsafeRole` when the role bypasses row-level security."""
        async with self._engine.connect() as checked:
            if await checked.scalar(_ROLE_BYPASSES_RLS):
                raise UnsafeRole(service=self.service)

    def start_notifier(self) -> None:
        """Send a NOTIFY to relays in other processes after each write to the outbox."""
        self._notifier = OutboxNotifier(self._engine)

    async def stop(self) -> None:
        """Close every connection."""
        if self._notifier is not None:
            await self._notifier.stop()
        await self._engine.dispose()

    @asynccontextmanager
    async def unit(self, caller: Caller) -> AsyncIterator[SqlUnit]:
        """Open a unit that sees the caller's tenant, or join `caller.open_unit`.

        Raises TypeError when the open unit is a batched one, which has no transaction.
        """
        if isinstance(caller.open_unit, OpenUnit):
            yield caller.open_unit.unit
            return
        if caller.open_unit is not None:
            raise TypeError("a route that is batched has a command that is not")
        async with self.unit_for([caller.tenant]) as unit:
            unit.caller = caller
            yield unit
            await unit.flush()
            hit_failpoint("unit.written")
        hit_failpoint("unit.committed")

    @asynccontextmanager
    async def open_unit(self, caller: Caller) -> AsyncIterator[OpenUnit]:
        """Open a unit that calls with `Caller(open_unit=…)` join; it commits when left."""
        async with self.unit(caller) as unit:
            yield OpenUnit(unit)

    @asynccontextmanager
    async def unit_for(self, tenants: Iterable[TenantId]) -> AsyncIterator[SqlUnit]:
        """Open a unit that sees these tenants; it commits when left without an error.

        Raises `Transient` for an error after which a retry may succeed.
        """
        try:
            async with self._begin(tenants) as transaction_connection:
                unit = self._unit_on(transaction_connection)
                yield unit
                await unit.flush()
        except PreauError:
            raise
        except Exception as error:
            if is_transient(error):
                raise to_transient(error) from error
            raise
        if unit.wrote_events:
            self.signal_outbox_changed()

    def signal_outbox_changed(self) -> None:
        """Wake the relay of this process, and those of other processes by NOTIFY."""
        self.outbox_changed.set()
        if self._notifier is not None:
            self._notifier.notify()

    def unit_defaults(self, caller: Caller) -> dict[str, Any]:
        """Return the arguments of `PendingWrites` that every unit of this database shares."""
        fields = {"service": self.service, "now": self._clock(), "new_id": self._new_id}
        return {**fields, "trace": self._trace, "caller": caller}

    @asynccontextmanager
    async def pooled_connection(self) -> AsyncIterator[AsyncConnection]:
        """Take a connection of the pool without a transaction, and record the wait for it.

        Raises SQLAlchemy's `TimeoutError` when the pool has none in time.
        """
        started_at = time.perf_counter()
        async with self._engine.connect() as pooled:
            self.load_monitor.record_pool_wait(time.perf_counter() - started_at)
            yield pooled

    @asynccontextmanager
    async def _begin(self, tenants: Iterable[TenantId]) -> AsyncIterator[AsyncConnection]:
        """Begin a transaction on a connection of the pool, and record the wait for it."""
        started_at = time.perf_counter()
        async with AsyncExitStack() as stack:
            try:
                pooled = await stack.enter_async_context(self._engine.connect())
            except PoolTimeout as error:
                raise self.load_monitor.record_pool_timeout() from error
            self.load_monitor.record_pool_wait(time.perf_counter() - started_at)
            yield await stack.enter_async_context(transaction(pooled, tenants))

    @asynccontextmanager
    async def savepoint(self, unit: SqlUnit) -> AsyncIterator[SqlUnit]:
        """Open a savepoint in a unit; an error rolls back its rows and its events only."""
        part = self._unit_on(unit.connection)
        async with unit.connection.begin_nested():
            yield part
            await part.flush()
        unit.wrote_events = unit.wrote_events or part.wrote_events

    def _unit_on(self, transaction_connection: AsyncConnection) -> SqlUnit:
        return SqlUnit(
            self.service,
            self._clock(),
            self._new_id,
            self._trace,
            connection=transaction_connection,
        )

    async def execute_once(
        self, statement: sa.TextClause, tenants: Sequence[TenantId] = (), **values: Any
    ) -> Sequence[sa.Row[Any]]:
        """Run a statement in its own transaction and return its rows; for the kit's tables."""
        async with self.unit_for(tenants) as unit:
            result = await unit.connection.execute(statement, values)
            return result.all() if result.returns_rows else ()


def to_transient(error: Exception) -> Transient:
    """Return the error to raise when a retry may succeed."""
    return Transient(
        internal_reason=type(error).__name__,
        retry_after=retry_after_with_jitter(QUEUE_RETRY_SECONDS),
    )
