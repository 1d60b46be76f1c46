"""The live side of a replay: its group's position and unapplied events, and locking it.

A shadow must not read farther than the live group has: it would apply events that the live group
may still park.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.kit.core.bus import Partition
from shared.kit.inbox import ledger
from shared.kit.tools.replay.errors import OutboxNotSent
from shared.kit.tools.replay.plan import LIVE_SCHEMA, Plan

LOCK_TIMEOUT = "10s"
MAX_LOCK_ATTEMPTS = 6
OUTBOX_TIMEOUT_SECONDS = 20.0
_LOCK_CONFLICT_STATES = ("40P01", "55P03")
_PARKED = sa.text("""
    SELECT topic, partition, "offset", key, event_id, type, tenant_id, record_key, record_value,
           traceparent, first_failed
    FROM parked
    WHERE consumer_group = :consumer_group AND topic = ANY(:topics) AND event_id IS NOT NULL
""")
_UNSENT = sa.text("SELECT count(*) FROM outbox WHERE topic = ANY(:topics)")

RecordLocation = tuple[str, int, int]
"""Topic, partition and offset of a record."""


@dataclass(frozen=True)
class GroupPosition:
    """Position of the live group at one moment."""

    next_offsets: Mapping[Partition, int]
    unapplied: Mapping[RecordLocation, Mapping[str, Any]]
    """Events before the position that are not applied: parked, dead or skipped."""


async def read_group_position(
    connection: AsyncConnection, group: str, topics: Sequence[str]
) -> GroupPosition:
    """Return a group's position in these topics, consistent if the transaction is."""
    all_offsets = await ledger.get_positions(connection, group)
    next_offsets = {
        partition: offset for partition, offset in all_offsets.items() if partition.topic in topics
    }
    parameters = {"consumer_group": group, "topics": list(topics)}
    rows = (await connection.execute(_PARKED, parameters)).mappings()
    unapplied = {(row["topic"], row["partition"], row["offset"]): dict(row) for row in rows}
    return GroupPosition(next_offsets, unapplied)


@asynccontextmanager
async def open_snapshot(
    engine: AsyncEngine, *, writable: bool = False
) -> AsyncIterator[AsyncConnection]:
    """Open a repeatable-read transaction, not affected by later commits."""
    async with engine.connect() as engine_connection:
        connection = await engine_connection.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=not writable
        )
        async with connection.begin():
            await connection.execute(sa.text(f"SET LOCAL search_path TO {LIVE_SCHEMA}"))
            yield connection


@asynccontextmanager
async def lock_live_tables(engine: AsyncEngine, plan: Plan) -> AsyncIterator[AsyncConnection]:
    """Lock the group's tables and read model against writes until the block ends; reads continue.

    The lock order is that of a batch, event ids first, so that a batch is either complete or has
    not started. Raises PostgreSQL's error when a lock is not released in time.
    """
    for attempt in range(1, MAX_LOCK_ATTEMPTS + 1):
        async with engine.connect() as connection, connection.begin():
            try:
                await _lock_tables(connection, plan)
            except DBAPIError as error:
                if not is_lock_conflict(error) or attempt == MAX_LOCK_ATTEMPTS:
                    raise
            else:
                yield connection
                return
        await asyncio.sleep(0.2 * attempt)


def is_lock_conflict(error: DBAPIError) -> bool:
    """Return whether another transaction's lock caused the error, so that a retry may succeed."""
    return getattr(error.orig, "sqlstate", None) in _LOCK_CONFLICT_STATES


async def _lock_tables(connection: AsyncConnection, plan: Plan) -> None:
    await connection.execute(sa.text(f"SET LOCAL search_path TO {LIVE_SCHEMA}"))
    await connection.execute(sa.text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
    frame_tables = ("ONLY inbox", "parked", "positions")
    for name in (*frame_tables, *(table.name for table in plan.tables)):
        await connection.execute(sa.text(f"LOCK TABLE {name} IN EXCLUSIVE MODE"))


async def wait_until_own_facts_sent(connection: AsyncConnection, plan: Plan) -> None:
    """Wait until the service's own events are in the log. Raises `OutboxNotSent`."""
    if not plan.own_topics:
        return
    deadline = asyncio.get_running_loop().time() + OUTBOX_TIMEOUT_SECONDS
    while unsent := await connection.scalar(_UNSENT, {"topics": plan.own_topics}):
        if asyncio.get_running_loop().time() > deadline:
            raise OutboxNotSent(
                f"{unsent} events of {plan.name} are not sent yet: check that its relay is running"
            )
        await asyncio.sleep(0.01)
