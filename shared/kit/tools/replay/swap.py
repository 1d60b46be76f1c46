"""Exchange live and rebuilt tables in one transaction."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.kit.tools.replay.plan import LIVE_SCHEMA, RebuiltTable
from shared.kit.tools.replay.schema import ShadowSchema


async def swap_tables(
    connection: AsyncConnection, room: ShadowSchema, tables: Sequence[RebuiltTable]
) -> None:
    """Exchange the tables of the two schemas with their indexes, sequences and privileges.

    The caller has locked the group, and both sides are at the same offsets, so positions do not
    change. Readers are blocked until the transaction ends.
    """
    temporary_schema = f"{room.schema}_between"
    names = ", ".join(f"{LIVE_SCHEMA}.{table.name}" for table in tables)
    await connection.execute(sa.text(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE"))
    await connection.execute(sa.text(f"CREATE SCHEMA {temporary_schema}"))
    for table in tables:
        for source, target in (
            (room.schema, temporary_schema),
            (LIVE_SCHEMA, room.schema),
            (temporary_schema, LIVE_SCHEMA),
        ):
            statement = f"ALTER TABLE {source}.{table.name} SET SCHEMA {target}"
            await connection.execute(sa.text(statement))
    await connection.execute(sa.text(f"DROP SCHEMA {temporary_schema}"))
