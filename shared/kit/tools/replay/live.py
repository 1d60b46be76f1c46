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
from shared.kit.tools.replay.errors import Unsent
from shared.kit.tools.replay.plan import LIVE, Plan

PATIENCE = "10s"
TRIES = 6
SENDING = 20.0
_BUSY = ("40P01", "55P03")
_PARKED = sa.text("""
    SELECT topic, partition, "offset", key, event_id, type, tenant_id, record_key, record_value,
           traceparent, first_failed
    FROM parked
    WHERE consumer_group = :consumer_group AND topic = ANY(:topics) AND event_id IS NOT NULL
""")
_UNSENT = sa.text("SELECT count(*) FROM outbox WHERE topic = ANY(:topics)")

Aside = tuple[str, int, int]
"""The place of a record: topic, partition, offset."""


@dataclass(frozen=True)
class Standing:
    """Where the live group stands, at one moment."""

    positions: Mapping[Partition, int]
    aside: Mapping[Aside, Mapping[str, Any]]
    """What it has not applied though it passed it: parked, dead or skipped."""


async def standing(connection: AsyncConnection, group: str, topics: Sequence[str]) -> Standing:
    """Say where a group stands in these topics; all of one moment, if the transaction is."""
    known = await ledger.positions(connection, group)
    positions = {place: offset for place, offset in known.items() if place.topic in topics}
    asked = {"consumer_group": group, "topics": list(topics)}
    rows = (await connection.execute(_PARKED, asked)).mappings()
    aside = {(row["topic"], row["partition"], row["offset"]): dict(row) for row in rows}
    return Standing(positions, aside)


@asynccontextmanager
async def snapshot(engine: AsyncEngine, *, writes: bool = False) -> AsyncIterator[AsyncConnection]:
    """Look at everything as it stands at one moment, whatever goes on meanwhile."""
    async with engine.connect() as opened:
        still = await opened.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=not writes
        )
        async with still.begin():
            await still.execute(sa.text(f"SET LOCAL search_path TO {LIVE}"))
            yield still


@asynccontextmanager
async def held_still(engine: AsyncEngine, plan: Plan) -> AsyncIterator[AsyncConnection]:
    """Hold the group and all who write to its read model, until left; whoever reads goes on.

    In the order in which a batch takes its locks: event ids first, so that a batch is whole or has
    not begun. Raises PostgreSQL's own error when somebody does not let go.
    """
    for attempt in range(1, TRIES + 1):
        async with engine.connect() as opened, opened.begin():
            try:
                await _lock(opened, plan)
            except DBAPIError as error:
                if not is_busy(error) or attempt == TRIES:
                    raise
            else:
                yield opened
                return
        await asyncio.sleep(0.2 * attempt)


def is_busy(error: DBAPIError) -> bool:
    """Tell whether it was a lock that somebody else has: trying again may help."""
    return getattr(error.orig, "sqlstate", None) in _BUSY


async def _lock(connection: AsyncConnection, plan: Plan) -> None:
    await connection.execute(sa.text(f"SET LOCAL search_path TO {LIVE}"))
    await connection.execute(sa.text(f"SET LOCAL lock_timeout = '{PATIENCE}'"))
    readers = ("ONLY inbox", "parked", "positions")
    for name in (*readers, *(each.name for each in plan.tables)):
        await connection.execute(sa.text(f"LOCK TABLE {name} IN EXCLUSIVE MODE"))


async def own_facts_sent(connection: AsyncConnection, plan: Plan) -> None:
    """Wait until the log holds what the service told so far. Raises `Unsent`."""
    if not plan.own_topics:
        return
    deadline = asyncio.get_running_loop().time() + SENDING
    while waiting := await connection.scalar(_UNSENT, {"topics": plan.own_topics}):
        if asyncio.get_running_loop().time() > deadline:
            raise Unsent(f"{waiting} facts of {plan.name} are unsent: is its relay running?")
        await asyncio.sleep(0.01)
