"""The live side of a replay: how far its group has read, what it put aside, and holding it still.

A shadow may read as far as the live group has, never farther: what the live one may yet park, the
other must not have applied.
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
_BUSY = ("40P01", "55P03")
_PARKED = sa.text("""
    SELECT topic, partition, "offset", key, event_id, type, tenant_id, record_key, record_value,
           traceparent, first_failed
    FROM parked
    WHERE consumer_group = :consumer_group AND topic = ANY(:topics) AND event_id IS NOT NULL
""")
_UNSENT = sa.text("SELECT count(*) FROM outbox WHERE topic = ANY(:topics)")

RecordLocation = tuple[str, int, int]
"""The place of a record: topic, partition, offset."""


@dataclass(frozen=True)
class GroupPosition:
    """Where the live group stands, at one moment."""

    next_offsets: Mapping[Partition, int]
    unapplied: Mapping[RecordLocation, Mapping[str, Any]]
    """What it has not applied though it passed it: parked, dead or skipped."""


async def read_group_position(
    connection: AsyncConnection, group: str, topics: Sequence[str]
) -> GroupPosition:
    """Return where a group stands in these topics; all of one moment, if the transaction is."""
    known = await ledger.get_positions(connection, group)
    positions = {place: offset for place, offset in known.items() if place.topic in topics}
    asked = {"consumer_group": group, "topics": list(topics)}
    rows = (await connection.execute(_PARKED, asked)).mappings()
    aside = {(row["topic"], row["partition"], row["offset"]): dict(row) for row in rows}
    return GroupPosition(positions, aside)


@asynccontextmanager
async def open_snapshot(
    engine: AsyncEngine, *, writable: bool = False
) -> AsyncIterator[AsyncConnection]:
    """Look at everything as it stands at one moment, whatever goes on meanwhile."""
    async with engine.connect() as opened:
        still = await opened.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=not writable
        )
        async with still.begin():
            await still.execute(sa.text(f"SET LOCAL search_path TO {LIVE_SCHEMA}"))
            yield still


@asynccontextmanager
async def lock_live_tables(engine: AsyncEngine, plan: Plan) -> AsyncIterator[AsyncConnection]:
    """Hold the group and all who write to its read model, until left; whoever reads goes on.

    In the order in which a batch takes its locks: event ids first, so that a batch is whole or has
    not begun. Raises PostgreSQL's own error when somebody does not let go.
    """
    for attempt in range(1, MAX_LOCK_ATTEMPTS + 1):
        async with engine.connect() as opened, opened.begin():
            try:
                await _lock(opened, plan)
            except DBAPIError as error:
                if not is_lock_conflict(error) or attempt == MAX_LOCK_ATTEMPTS:
                    raise
            else:
                yield opened
                return
        await asyncio.sleep(0.2 * attempt)


def is_lock_conflict(error: DBAPIError) -> bool:
    """Return whether it was a lock that somebody else has: trying again may help."""
    return getattr(error.orig, "sqlstate", None) in _BUSY


async def _lock(connection: AsyncConnection, plan: Plan) -> None:
    await connection.execute(sa.text(f"SET LOCAL search_path TO {LIVE_SCHEMA}"))
    await connection.execute(sa.text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
    readers = ("ONLY inbox", "parked", "positions")
    for name in (*readers, *(each.name for each in plan.tables)):
        await connection.execute(sa.text(f"LOCK TABLE {name} IN EXCLUSIVE MODE"))


async def wait_until_own_facts_sent(connection: AsyncConnection, plan: Plan) -> None:
    """Wait until the log holds what the service told so far. Raises `OutboxNotSent`."""
    if not plan.own_topics:
        return
    deadline = asyncio.get_running_loop().time() + OUTBOX_TIMEOUT_SECONDS
    while waiting := await connection.scalar(_UNSENT, {"topics": plan.own_topics}):
        if asyncio.get_running_loop().time() > deadline:
            raise OutboxNotSent(f"{waiting} facts of {plan.name} are unsent: is its relay running?")
        await asyncio.sleep(0.01)
