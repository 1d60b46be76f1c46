"""Units of work without a transaction of their own: what is asked and written goes together.

For commands that come by the thousand. Such a unit asks (`ask`) and adds (`add`), nothing else;
what it adds, its facts and its audit rows are one statement, which is a transaction by itself.
Requests that arrive together share their round trips: a failure of one is not the others', and
none is told that it is done before it is committed.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.ids import TenantId
from shared.kit.core.errors import PreauError, Transient
from shared.kit.core.failpoints import hit_failpoint
from shared.kit.core.unit_of_work import Caller, Unit
from shared.kit.database import outbox
from shared.kit.database.batched import statements as sets
from shared.kit.database.batched.micro_batcher import BatchPolicy, MicroBatcher
from shared.kit.database.batched.statements import BatchInsert, BatchQuery, QueryArgs
from shared.kit.database.database import Database, OpenUnit, SqlUnit, is_transient
from shared.kit.database.overload import (
    QUEUE_RETRY_SECONDS,
    overload_error,
    retry_after_with_jitter,
)
from shared.kit.database.pending_writes import PendingWrites
from shared.kit.telemetry.sql import shared_statement_span

QueryRows = list[asyncpg.Record]


@dataclass
class BatchedUnit(PendingWrites):
    """See `core.unit_of_work.Unit`; what it asks and what it writes are moments of their own."""

    database: "BatchedDatabase" = field(kw_only=True)
    rows: dict[BatchInsert, list[Mapping[str, Any]]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Ready:
    """All that a unit writes."""

    unit: BatchedUnit
    caller: Caller
    events: list[outbox.EncodedEvent]


@dataclass(frozen=True)
class OpenBatchedUnit:
    """A light unit that is already open and that the caller's handlers join."""

    unit: BatchedUnit


class BatchedDatabase:
    """Opens light units on one database, and asks without any unit.

    One per service: the more callers share it, the more of them share a round trip.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        limits = database.load_monitor.limits
        self._waiting, self._wait = limits.max_queue, limits.max_wait_seconds
        self._asking: dict[BatchQuery, MicroBatcher[QueryArgs, QueryRows]] = {}
        rules = BatchPolicy(_divides, self._told, self._refused, self._waiting, self._wait, _member)
        self._writing: MicroBatcher[_Ready, None] = MicroBatcher(self._write, rules)

    @asynccontextmanager
    async def unit(self, caller: Caller) -> AsyncIterator[Unit]:
        """Open a unit for this caller, or join the one that it holds.

        Raises `Transient` for whatever may work if tried again, `Overloaded` for what was refused.
        """
        if isinstance(caller.open_unit, OpenUnit | OpenBatchedUnit):
            yield caller.open_unit.unit
            return
        unit = self._opened(caller)
        yield unit
        await self._commit(unit, caller)

    @asynccontextmanager
    async def open_unit(self, caller: Caller) -> AsyncIterator[OpenBatchedUnit]:
        """Open a unit that later calls with `Caller(held=…)` join; leaving it writes."""
        unit = self._opened(caller)
        yield OpenBatchedUnit(unit)
        await self._commit(unit, caller)

    def _opened(self, caller: Caller) -> BatchedUnit:
        return BatchedUnit(**self.database.unit_defaults(caller), database=self)

    async def _commit(self, unit: BatchedUnit, caller: Caller) -> None:
        if not (unit.rows or unit.events or unit.audit_entries):
            return
        events = outbox.encode_events(unit.events, service=unit.service, now=unit.now)
        ready = _Ready(unit, caller, events)
        # Two audited changes of a member are two statements.
        await (
            self._writing.submit(ready) if len(unit.audit_entries) <= 1 else self._transact(ready)
        )

    async def load(
        self, question: BatchQuery, tenant: TenantId, values: Mapping[str, Any]
    ) -> QueryRows:
        """Return the rows that answer this, as they are at this moment."""
        asking = self._asking.get(question)
        if asking is None:
            asking = self._asking[question] = self._asker(question)
        with shared_statement_span(self.database.engine.sync_engine, question.sql):
            return await asking.submit({"tenant_id": tenant, **values})

    def _asker(self, question: BatchQuery) -> MicroBatcher[QueryArgs, QueryRows]:
        async def ask(askers: Sequence[QueryArgs]) -> list[QueryRows]:
            async with self.database.pooled_connection() as opened:
                return await question.fetch(opened, askers, in_transaction=False)

        rules: BatchPolicy[QueryArgs] = BatchPolicy(
            _divides, self._told, self._refused, self._waiting, self._wait
        )
        return MicroBatcher(ask, rules)

    async def _write(self, all_ready: Sequence[_Ready]) -> list[None]:
        hit_failpoint("light.noted")
        try:
            async with self.database.pooled_connection() as opened:
                await _write(opened, all_ready)
        except asyncpg.UniqueViolationError:
            # Another process wrote for the same member: one that is alone waits for it.
            if len(all_ready) > 1:
                raise
            await self._transact(all_ready[0])
        else:
            hit_failpoint("light.committed")
            self.database.signal_outbox_changed()
        return [None] * len(all_ready)

    async def _transact(self, ready: _Ready) -> None:
        async with self.database.unit_for([ready.caller.tenant]) as unit:
            for insertion, rows in ready.unit.rows.items():
                await insertion.insert(unit.connection, rows)
            unit.events, unit.audit_entries = ready.unit.events, ready.unit.audit_entries
            unit.now = ready.unit.now

    def _refused(self, reason: str) -> Exception:
        self.database.load_monitor.telemetry.count("preau.http.shed", reason=reason)
        return overload_error(reason)

    def _told(self, error: Exception) -> Exception:
        if isinstance(error, PoolTimeout):
            return self.database.load_monitor.record_pool_timeout()
        if is_transient(error) and not isinstance(error, PreauError):
            return Transient(
                because=type(error).__name__,
                retry_after=retry_after_with_jitter(QUEUE_RETRY_SECONDS),
            )
        return error


async def _write(opened: AsyncConnection, all_ready: Sequence[_Ready]) -> None:
    rows: dict[BatchInsert, list[Mapping[str, Any]]] = {}
    for each in all_ready:
        for insertion, added in each.unit.rows.items():
            rows.setdefault(insertion, []).extend(added)
    await sets.write_batch(
        opened,
        {each.caller.tenant for each in all_ready},
        rows,
        [event for each in all_ready for event in each.events],
        [(change, each.unit.now) for each in all_ready for change in each.unit.audit_entries],
    )


def _divides(error: Exception) -> bool:
    return not is_transient(error)


def _member(ready: _Ready) -> object:
    """Name whose audit chain it adds to: two of one member never go together."""
    return (ready.caller.tenant, ready.caller.member_id) if ready.unit.audit_entries else None


def is_batched(unit: Unit) -> bool:
    """Return whether this unit has no transaction: it neither locks nor lists."""
    return isinstance(unit, BatchedUnit)


async def load(unit: Unit, question: BatchQuery, tenant: TenantId, **values: Any) -> QueryRows:
    """Return a store the rows that answer this: in the unit's transaction if it has one."""
    if isinstance(unit, SqlUnit):
        (found,) = await question.fetch(
            unit.connection, [{"tenant_id": tenant, **values}], in_transaction=True
        )
        return found
    return await _light(unit).database.load(question, tenant, values)


async def add(unit: Unit, insertion: BatchInsert, rows: Sequence[Mapping[str, Any]]) -> None:
    """Let a store add rows: at once in a transaction, with a light unit when it commits.

    Raises ValueError for another tenant's than the caller's: to the tables' policy, a statement
    for many is everybody's.
    """
    if isinstance(unit, SqlUnit):
        if rows:
            await insertion.insert(unit.connection, rows)
        return
    light = _light(unit)
    for row in rows:
        if light.caller is None or row["tenant_id"] != light.caller.tenant:
            raise ValueError(f"a row of tenant {row['tenant_id']} for {light.caller}")
    light.rows.setdefault(insertion, []).extend(rows)


def _light(unit: Unit) -> BatchedUnit:
    if not isinstance(unit, BatchedUnit):
        raise TypeError(f"{type(unit).__name__} has neither a transaction nor a light unit's means")
    return unit
