"""The room of a replay: a schema with the frame's tables and the rebuilt ones, as migrations make.

Its comment says whose it is and in which state, so that nothing else is ever dropped. A second
schema beside it, `<name>_aside`, takes what reactions decide anew and nobody wants.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import ModuleType
from typing import cast

import msgspec
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.kit.database.migrations import enable_row_security
from shared.kit.database.tables import frame_metadata
from shared.kit.tools.replay.errors import ReplayRefused
from shared.kit.tools.replay.plan import LIVE_SCHEMA, RebuiltTable

_COMMENT = sa.text("""
    SELECT obj_description(oid, 'pg_namespace') AS comment FROM pg_namespace WHERE nspname = :name
""")
_GRANTS = sa.text("""
    SELECT COALESCE(quote_ident(r.rolname), 'PUBLIC') AS grantee, a.privilege_type AS privilege
    FROM pg_class c CROSS JOIN aclexplode(c.relacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
    WHERE c.oid = CAST(CAST(:live AS text) AS regclass) AND a.grantee <> c.relowner
""")
_SEQUENCE = sa.text("SELECT pg_get_serial_sequence(:table, :column)")


class ShadowState(StrEnum):
    """What stands in a replay's schema."""

    BUILDING = "building"
    READY = "ready"
    SWAPPED = "swapped"
    """What was live until the swap."""


@dataclass(frozen=True)
class ShadowSchema:
    """A replay's schema, as its comment tells of it."""

    schema: str
    service: str
    run: str
    state: ShadowState
    whole: bool = True
    """Whether the log was read from its beginning."""

    @property
    def discard_schema(self) -> str:
        """Where that goes which nobody wants."""
        return f"{self.schema}_aside"

    @property
    def consumer_group(self) -> str:
        """The consumer group of what the service reads."""
        return f"{self.service}.shadow.{self.run}"


async def find(connection: AsyncConnection, schema: str) -> ShadowSchema | None:
    """Look for a replay's room. Raises `Refused` for a schema that is something else."""
    row = (await connection.execute(_COMMENT, {"name": schema})).first()
    if row is None:
        return None
    try:
        return msgspec.json.decode(row.comment or "", type=ShadowSchema)
    except msgspec.DecodeError as error:
        raise ReplayRefused(f"Schema {schema} was not made by a replay: name another.") from error


async def mark(connection: AsyncConnection, room: ShadowSchema) -> None:
    """Write down whose the schema is, and its state."""
    said = msgspec.json.encode(room).decode().replace("'", "''").replace(":", r"\:")
    await connection.execute(sa.text(f"COMMENT ON SCHEMA {room.schema} IS '{said}'"))


async def drop(connection: AsyncConnection, room: ShadowSchema) -> None:
    """Remove a replay's room with all that is in it."""
    await connection.execute(sa.text(f"DROP SCHEMA IF EXISTS {room.discard_schema} CASCADE"))
    await connection.execute(sa.text(f"DROP SCHEMA {room.schema} CASCADE"))


async def create(
    connection: AsyncConnection, room: ShadowSchema, tables: Sequence[RebuiltTable]
) -> None:
    """Make the tables anew, empty: columns, indexes, row policies and grants of the live ones."""
    told = [each for each in tables if each.role == "told"]
    for schema, wanted in ((room.schema, tables), (room.discard_schema, told)):
        await connection.execute(sa.text(f"CREATE SCHEMA {schema}"))
        await connection.execute(sa.text(f"SET LOCAL search_path TO {schema}"))
        await connection.run_sync(_create, [each.table for each in wanted])
        for table in wanted:
            await _grant(connection, schema, table)
    await connection.execute(sa.text(f"SET LOCAL search_path TO {room.schema}"))
    await connection.run_sync(_create_frame)
    await connection.execute(sa.text(f"SET LOCAL search_path TO {LIVE_SCHEMA}"))
    for grantee in await _grantees(connection, tables):
        await connection.execute(sa.text(f"GRANT USAGE ON SCHEMA {room.schema} TO {grantee}"))
    await mark(connection, room)


def _create(connection: sa.Connection, tables: Sequence[sa.Table]) -> None:
    for metadata in {table.metadata for table in tables}:
        mine = [table for table in tables if table.metadata is metadata]
        metadata.create_all(connection, tables=mine, checkfirst=False)
    # As in a migration, where `alembic.op` is a module with the same names.
    operations = cast("ModuleType", Operations(MigrationContext.configure(connection)))
    enable_row_security(operations, [table for table in tables if table.info.get("business")])


def _create_frame(connection: sa.Connection) -> None:
    frame_metadata().create_all(connection, checkfirst=False)
    # A replay that a crash interrupts is begun again: its event ids need not survive.
    connection.execute(sa.text("CREATE UNLOGGED TABLE inbox_all PARTITION OF inbox DEFAULT"))


async def _grant(connection: AsyncConnection, schema: str, rebuilt: RebuiltTable) -> None:
    """Return the roles what they may do with the live table, and with its numbers."""
    await _copy_grants(connection, f"{LIVE_SCHEMA}.{rebuilt.name}", f"{schema}.{rebuilt.name}")
    for column in rebuilt.table.columns:
        if column.identity is not None:
            live, ours = [
                await connection.scalar(
                    _SEQUENCE, {"table": f"{place}.{rebuilt.name}", "column": column.name}
                )
                for place in (LIVE_SCHEMA, schema)
            ]
            await _copy_grants(connection, live, ours, kind="SEQUENCE")


async def _copy_grants(
    connection: AsyncConnection, live: str, ours: str, *, kind: str = "TABLE"
) -> None:
    for row in await connection.execute(_GRANTS, {"live": live}):
        grant = f"GRANT {row.privilege} ON {kind} {ours} TO {row.grantee}"
        await connection.execute(sa.text(grant))


async def _grantees(connection: AsyncConnection, tables: Iterable[RebuiltTable]) -> list[str]:
    found: set[str] = set()
    for each in tables:
        rows = await connection.execute(_GRANTS, {"live": f"{LIVE_SCHEMA}.{each.name}"})
        found.update(cast("str", row.grantee) for row in rows)
    return sorted(found)


async def seed(
    connection: AsyncConnection, room: ShadowSchema, tables: Sequence[RebuiltTable]
) -> None:
    """Begin from what is live, in tables that a fact applied once more leaves as they are."""
    for each in tables:
        if not each.is_cumulative:
            copied = f"INSERT INTO {room.schema}.{each.name} TABLE {LIVE_SCHEMA}.{each.name}"
            await connection.execute(sa.text(copied))


async def analyze(
    connection: AsyncConnection, room: ShadowSchema, tables: Sequence[RebuiltTable]
) -> None:
    """Let the planner know what is in the new tables before anybody asks them."""
    names = ", ".join(f"{room.schema}.{each.name}" for each in tables)
    await connection.execute(sa.text(f"ANALYZE {names}"))
