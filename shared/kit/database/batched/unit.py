"""Batched units of work (dataloader reads, group-commit writes).

Concurrent requests share one SELECT, and one statement with all their INSERTs, which is atomic
without BEGIN and COMMIT. Such a unit can only `load` rows by key and `add` rows: no row locks, no
pages, no reading of its own writes. A request is answered only after its rows are committed. When
a statement fails, its items are executed one by one, so that only the faulty request fails; after a
transient error all of them fail, because the statement may have been committed.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, cast

import asyncpg
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.ids import TenantId
from shared.kit.core.errors import PreauError
from shared.kit.core.failpoints import hit_failpoint
from shared.kit.core.unit_of_work import BatchedUnit, Caller, Unit
from shared.kit.database import outbox
from shared.kit.database.batched.micro_batcher import BatchPolicy, MicroBatcher
from shared.kit.database.batched.statements import (
    BatchInsert,
    BatchQuery,
    QueryArgs,
    write_batch,
)
from shared.kit.database.database import (
    Database,
    OpenUnit,
    SqlUnit,
    connection,
    is_transient,
    to_transient,
)
from shared.kit.database.overload import overload_error
from shared.kit.database.pending_writes import PendingWrites
from shared.kit.telemetry.sql import shared_statement_span

QueryRows = list[asyncpg.Record]


@dataclass
class SqlBatchedUnit(PendingWrites):
    """See `core.unit_of_work.BatchedUnit`; `rows` are inserted at commit."""

    is_transaction: ClassVar[Literal[False]] = False
    database: "BatchedDatabase" = field(kw_only=True)
    rows: dict[BatchInsert, list[Mapping[str, Any]]] = field(default_factory=dict)


@dataclass(frozen=True)
class _CommitRequest:
    """The writes of one unit, as an item of a batch."""

    unit: SqlBatchedUnit
    caller: Caller
    events: list[outbox.EncodedEvent]


@dataclass(frozen=True)
class OpenBatchedUnit:
    """An open batched unit: handlers write into it, and only `open_unit` commits it."""

    unit: SqlBatchedUnit


class BatchedDatabase:
    """Opens batched units on one database, and loads rows without a unit.

    One instance per service, so that concurrent callers share statements.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        limits = database.load_monitor.limits
        self._max_queue, self._max_wait_seconds = limits.max_queue, limits.max_wait_seconds
        self._readers: dict[BatchQuery, MicroBatcher[QueryArgs, QueryRows]] = {}
        policy = BatchPolicy(
            retry_singly=_is_item_error,
            to_caller_error=self._to_caller_error,
            rejection=self._make_rejection,
            max_queue=self._max_queue,
            max_wait_seconds=self._max_wait_seconds,
            conflict_key=_audit_chain_key,
        )
        self._writer: MicroBatcher[_CommitRequest, None] = MicroBatcher(self._commit_batch, policy)

    @asynccontextmanager
    async def unit(self, caller: Caller) -> AsyncIterator[SqlUnit | SqlBatchedUnit]:
        """Open a unit for this caller, or join `caller.open_unit`, which may be a transaction.

        Raises `Transient` for an error after which a retry may succeed, `Overloaded` for a
        rejected request.
        """
        if isinstance(caller.open_unit, OpenUnit | OpenBatchedUnit):
            yield caller.open_unit.unit
            return
        unit = self._new_unit(caller)
        yield unit
        await self._commit(unit, caller)

    @asynccontextmanager
    async def open_unit(self, caller: Caller) -> AsyncIterator[OpenBatchedUnit]:
        """Open a unit that is committed when the block ends without an error.

        Calls with `Caller(open_unit=…)` write into it.
        """
        unit = self._new_unit(caller)
        yield OpenBatchedUnit(unit)
        await self._commit(unit, caller)

    def _new_unit(self, caller: Caller) -> SqlBatchedUnit:
        return SqlBatchedUnit(**self.database.unit_defaults(caller), database=self)

    async def _commit(self, unit: SqlBatchedUnit, caller: Caller) -> None:
        if not (unit.rows or unit.events or unit.audit_entries):
            return
        events = outbox.encode_events(unit.events, service=unit.service, now=unit.now)
        commit = _CommitRequest(unit, caller, events)
        if len(unit.audit_entries) <= 1:
            await self._writer.submit(commit)
        else:  # a batch can extend a member's audit chain by one entry only
            await self._commit_in_transaction(commit)

    async def load(
        self, query: BatchQuery, tenant: TenantId, values: Mapping[str, Any]
    ) -> QueryRows:
        """Return the committed rows of this query for these arguments, read with the next batch."""
        reader = self._readers.get(query)
        if reader is None:
            reader = self._readers[query] = self._new_reader(query)
        with shared_statement_span(self.database.engine.sync_engine, query.sql):
            return await reader.submit({"tenant_id": tenant, **values})

    def _new_reader(self, query: BatchQuery) -> MicroBatcher[QueryArgs, QueryRows]:
        async def fetch_batch(requests: Sequence[QueryArgs]) -> list[QueryRows]:
            async with self.database.pooled_connection() as pooled:
                return await query.fetch(pooled, requests, in_transaction=False)

        policy: BatchPolicy[QueryArgs] = BatchPolicy(
            retry_singly=_is_item_error,
            to_caller_error=self._to_caller_error,
            rejection=self._make_rejection,
            max_queue=self._max_queue,
            max_wait_seconds=self._max_wait_seconds,
        )
        return MicroBatcher(fetch_batch, policy)

    async def _commit_batch(self, batch: Sequence[_CommitRequest]) -> list[None]:
        hit_failpoint("group_commit.recorded")
        try:
            async with self.database.pooled_connection() as pooled:
                await _write_commits(pooled, batch)
        except asyncpg.UniqueViolationError:
            # Another process extended the same member's audit chain, or a row of an insert that
            # fails on conflicts exists. A batch is executed one by one; a single commit is repeated
            # in a transaction, which locks the chain.
            if len(batch) > 1:
                raise
            await self._commit_in_transaction(batch[0])
        else:
            hit_failpoint("group_commit.committed")
            self.database.signal_outbox_changed()
        return [None] * len(batch)

    async def _commit_in_transaction(self, commit: _CommitRequest) -> None:
        async with self.database.unit_for([commit.caller.tenant]) as unit:
            for batch_insert, rows in commit.unit.rows.items():
                await batch_insert.insert(unit.connection, rows)
            unit.events, unit.audit_entries = commit.unit.events, commit.unit.audit_entries
            unit.now = commit.unit.now

    def _make_rejection(self, reason: str) -> Exception:
        self.database.load_monitor.telemetry.count("preau.http.shed", reason=reason)
        return overload_error(reason)

    def _to_caller_error(self, error: Exception) -> Exception:
        if isinstance(error, PoolTimeout):
            return self.database.load_monitor.record_pool_timeout()
        if is_transient(error) and not isinstance(error, PreauError):
            return to_transient(error)
        return error


async def _write_commits(pooled: AsyncConnection, batch: Sequence[_CommitRequest]) -> None:
    rows_by_insert: dict[BatchInsert, list[Mapping[str, Any]]] = {}
    for commit in batch:
        for batch_insert, rows in commit.unit.rows.items():
            rows_by_insert.setdefault(batch_insert, []).extend(rows)
    await write_batch(
        pooled,
        {commit.caller.tenant for commit in batch},
        rows_by_insert,
        [event for commit in batch for event in commit.events],
        [(entry, commit.unit.now) for commit in batch for entry in commit.unit.audit_entries],
    )


def _is_item_error(error: Exception) -> bool:
    # After a transient error the outcome is unknown: a second execution could repeat the writes.
    return not is_transient(error)


def _audit_chain_key(commit: _CommitRequest) -> object:
    """Return the audit chain that a commit extends; a batch has one commit per chain."""
    if not commit.unit.audit_entries:
        return None
    return commit.caller.tenant, commit.caller.member_id


async def load(
    unit: Unit | BatchedUnit, query: BatchQuery, tenant: TenantId, **values: Any
) -> QueryRows:
    """Return a query's rows, in the unit's transaction or together with concurrent loads."""
    if unit.is_transaction:
        args = {"tenant_id": tenant, **values}
        (rows,) = await query.fetch(connection(unit), [args], in_transaction=True)
        return rows
    return await cast("SqlBatchedUnit", unit).database.load(query, tenant, values)


async def add(
    unit: Unit | BatchedUnit, batch_insert: BatchInsert, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Add rows: immediately in a transaction, at commit in a batched unit.

    Raises ValueError in a batched unit for a row of a tenant that is not the caller's: the shared
    statement runs with the tenants of all callers, so row-level security would accept the row.
    """
    if unit.is_transaction:
        if rows:
            await batch_insert.insert(connection(unit), rows)
        return
    batched = cast("SqlBatchedUnit", unit)
    for row in rows:
        if batched.caller is None or row["tenant_id"] != batched.caller.tenant:
            raise ValueError(f"a row of tenant {row['tenant_id']} for {batched.caller}")
    batched.rows.setdefault(batch_insert, []).extend(rows)
