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
from shared.kit.core.failpoints import reached
from shared.kit.core.unit_of_work import Caller, Unit
from shared.kit.database import outbox
from shared.kit.database.batched import statements as sets
from shared.kit.database.batched.micro_batcher import Gather, Rules
from shared.kit.database.batched.statements import Asked, Insertion, Question
from shared.kit.database.database import Database, Held, SqlUnit, is_transient
from shared.kit.database.overload import SOON, back_in, overloaded
from shared.kit.database.pending import Noted
from shared.kit.telemetry.sql import shown

Answer = list[asyncpg.Record]


@dataclass
class LightUnit(Noted):
    """See `core.unit_of_work.Unit`; what it asks and what it writes are moments of their own."""

    light: "Light" = field(kw_only=True)
    rows: dict[Insertion, list[Mapping[str, Any]]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Ready:
    """All that a unit writes."""

    unit: LightUnit
    caller: Caller
    events: list[outbox.Ready]


@dataclass(frozen=True)
class HeldLight:
    """A light unit that is already open and that the caller's handlers join."""

    unit: LightUnit


class Light:
    """Opens light units on one database, and asks without any unit.

    One per service: the more callers share it, the more of them share a round trip.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        limits = database.pressure.limits
        self._waiting, self._wait = limits.waiting, limits.wait
        self._asking: dict[Question, Gather[Asked, Answer]] = {}
        rules = Rules(_divides, self._told, self._refused, self._waiting, self._wait, _member)
        self._writing: Gather[_Ready, None] = Gather(self._write, rules)

    @asynccontextmanager
    async def unit(self, caller: Caller) -> AsyncIterator[Unit]:
        """Open a unit for this caller, or join the one that it holds.

        Raises `Transient` for whatever may work if tried again, `Overloaded` for what was refused.
        """
        if isinstance(caller.held, Held | HeldLight):
            yield caller.held.unit
            return
        unit = self._opened(caller)
        yield unit
        await self._commit(unit, caller)

    @asynccontextmanager
    async def hold(self, caller: Caller) -> AsyncIterator[HeldLight]:
        """Open a unit that later calls with `Caller(held=…)` join; leaving it writes."""
        unit = self._opened(caller)
        yield HeldLight(unit)
        await self._commit(unit, caller)

    def _opened(self, caller: Caller) -> LightUnit:
        return LightUnit(**self.database.noted(caller), light=self)

    async def _commit(self, unit: LightUnit, caller: Caller) -> None:
        if not (unit.rows or unit.entries or unit.changes):
            return
        events = outbox.ready(unit.entries, service=unit.service, now=unit.now)
        ready = _Ready(unit, caller, events)
        # Two audited changes of a member are two statements.
        await (self._writing.do(ready) if len(unit.changes) <= 1 else self._transact(ready))

    async def ask(self, question: Question, tenant: TenantId, values: Mapping[str, Any]) -> Answer:
        """Give the rows that answer this, as they are at this moment."""
        asking = self._asking.get(question)
        if asking is None:
            asking = self._asking[question] = self._asker(question)
        with shown(self.database.engine.sync_engine, question.sql):
            return await asking.do({"tenant_id": tenant, **values})

    def _asker(self, question: Question) -> Gather[Asked, Answer]:
        async def ask(askers: Sequence[Asked]) -> list[Answer]:
            async with self.database.connected() as opened:
                return await question.ask(opened, askers, opened=False)

        rules: Rules[Asked] = Rules(_divides, self._told, self._refused, self._waiting, self._wait)
        return Gather(ask, rules)

    async def _write(self, all_ready: Sequence[_Ready]) -> list[None]:
        reached("light.noted")
        try:
            async with self.database.connected() as opened:
                await _write(opened, all_ready)
        except asyncpg.UniqueViolationError:
            # Another process wrote for the same member: one that is alone waits for it.
            if len(all_ready) > 1:
                raise
            await self._transact(all_ready[0])
        else:
            reached("light.committed")
            self.database.tell()
        return [None] * len(all_ready)

    async def _transact(self, ready: _Ready) -> None:
        async with self.database.batch([ready.caller.tenant]) as unit:
            for insertion, rows in ready.unit.rows.items():
                await insertion.add(unit.connection, rows)
            unit.entries, unit.changes = ready.unit.entries, ready.unit.changes
            unit.now = ready.unit.now

    def _refused(self, reason: str) -> Exception:
        self.database.pressure.telemetry.count("preau.http.shed", reason=reason)
        return overloaded(reason)

    def _told(self, error: Exception) -> Exception:
        if isinstance(error, PoolTimeout):
            return self.database.pressure.gave_up()
        if is_transient(error) and not isinstance(error, PreauError):
            return Transient(because=type(error).__name__, retry_after=back_in(SOON))
        return error


async def _write(opened: AsyncConnection, all_ready: Sequence[_Ready]) -> None:
    rows: dict[Insertion, list[Mapping[str, Any]]] = {}
    for each in all_ready:
        for insertion, added in each.unit.rows.items():
            rows.setdefault(insertion, []).extend(added)
    await sets.write(
        opened,
        {each.caller.tenant for each in all_ready},
        rows,
        [event for each in all_ready for event in each.events],
        [(change, each.unit.now) for each in all_ready for change in each.unit.changes],
    )


def _divides(error: Exception) -> bool:
    return not is_transient(error)


def _member(ready: _Ready) -> object:
    """Name whose audit chain it adds to: two of one member never go together."""
    return (ready.caller.tenant, ready.caller.member_id) if ready.unit.changes else None


def is_light(unit: Unit) -> bool:
    """Say whether this unit has no transaction: it neither locks nor lists."""
    return isinstance(unit, LightUnit)


async def ask(unit: Unit, question: Question, tenant: TenantId, **values: Any) -> Answer:
    """Give a store the rows that answer this: in the unit's transaction if it has one."""
    if isinstance(unit, SqlUnit):
        (found,) = await question.ask(
            unit.connection, [{"tenant_id": tenant, **values}], opened=True
        )
        return found
    return await _light(unit).light.ask(question, tenant, values)


async def add(unit: Unit, insertion: Insertion, rows: Sequence[Mapping[str, Any]]) -> None:
    """Let a store add rows: at once in a transaction, with a light unit when it commits.

    Raises ValueError for another tenant's than the caller's: to the tables' policy, a statement
    for many is everybody's.
    """
    if isinstance(unit, SqlUnit):
        if rows:
            await insertion.add(unit.connection, rows)
        return
    light = _light(unit)
    for row in rows:
        if light.caller is None or row["tenant_id"] != light.caller.tenant:
            raise ValueError(f"a row of tenant {row['tenant_id']} for {light.caller}")
    light.rows.setdefault(insertion, []).extend(rows)


def _light(unit: Unit) -> LightUnit:
    if not isinstance(unit, LightUnit):
        raise TypeError(f"{type(unit).__name__} has neither a transaction nor a light unit's means")
    return unit
