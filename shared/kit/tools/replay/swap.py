"""The rebuilt tables and the live ones change places, in one transaction."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.kit.tools.replay.plan import LIVE_SCHEMA, RebuiltTable
from shared.kit.tools.replay.schema import ShadowSchema


async def swap_tables(
    connection: AsyncConnection, room: ShadowSchema, tables: Sequence[RebuiltTable]
) -> None:
    """Let the tables of two schemas change places; their indexes, numbers and rights go along.

    The group is held still meanwhile, and its positions stay where they are: both sides stand at
    the same. Readers wait for the length of this call.
    """
    between = f"{room.schema}_between"
    names = ", ".join(f"{LIVE_SCHEMA}.{each.name}" for each in tables)
    await connection.execute(sa.text(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE"))
    await connection.execute(sa.text(f"CREATE SCHEMA {between}"))
    for each in tables:
        for place, goal in (
            (room.schema, between),
            (LIVE_SCHEMA, room.schema),
            (between, LIVE_SCHEMA),
        ):
            moved = f"ALTER TABLE {place}.{each.name} SET SCHEMA {goal}"
            await connection.execute(sa.text(moved))
    await connection.execute(sa.text(f"DROP SCHEMA {between}"))
