"""Shadow schema of a replay: the kit's tables and the rebuilt ones, as migrations create them.

The schema's comment states its replay and state, so that no other schema is ever dropped. A second
schema, `<name>_aside`, receives decisions that reactions take again and that are discarded.
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
_SEQUENCE_OF_COLUMN = sa.text("SELECT pg_get_serial_sequence(:table, :column)")


class ShadowState(StrEnum):
    """State of a replay's schema."""

    BUILDING = "building"
    READY = "ready"
    SWAPPED = "swapped"
    """It holds the tables that were live before the swap."""


@dataclass(frozen=True)
class ShadowSchema:
    """A replay's schema; stored as JSON in the schema's comment."""

    schema: str
    service: str
    run: str
    state: ShadowState
    whole: bool = True
    """Whether the log was read from its beginning."""

    @property
    def discard_schema(self) -> str:
        """Return the schema of the tables whose rows are discarded."""
        return f"{self.schema}_aside"

    @property
    def consumer_group(self) -> str:
        """Return the consumer group of the replay."""
        return f"{self.service}.shadow.{self.run}"


async def find(connection: AsyncConnection, schema: str) -> ShadowSchema | None:
    """Return a replay's schema by name. Raises `ReplayRefused` if another program created it."""
    row = (await connection.execute(_COMMENT, {"name": schema})).first()
    if row is None:
        return None
    try:
        return msgspec.json.decode(row.comment or "", type=ShadowSchema)
    except msgspec.DecodeError as error:
        raise ReplayRefused(
            f"Schema {schema} was not made by a replay: choose another name."
        ) from error


async def mark(connection: AsyncConnection, shadow: ShadowSchema) -> None:
    """Write the schema's replay and state into its comment."""
    comment = msgspec.json.encode(shadow).decode().replace("'", "''").replace(":", r"\:")
    await connection.execute(sa.text(f"COMMENT ON SCHEMA {shadow.schema} IS '{comment}'"))


async def drop(connection: AsyncConnection, shadow: ShadowSchema) -> None:
    """Drop a replay's schema and the discard schema with all tables."""
    await connection.execute(sa.text(f"DROP SCHEMA IF EXISTS {shadow.discard_schema} CASCADE"))
    await connection.execute(sa.text(f"DROP SCHEMA {shadow.schema} CASCADE"))


async def create(
    connection: AsyncConnection, shadow: ShadowSchema, tables: Sequence[RebuiltTable]
) -> None:
    """Create empty tables with columns, indexes, row policies and privileges of the live ones."""
    own_event_tables = [table for table in tables if table.role == "told"]
    for schema, schema_tables in (
        (shadow.schema, tables),
        (shadow.discard_schema, own_event_tables),
    ):
        await connection.execute(sa.text(f"CREATE SCHEMA {schema}"))
        await connection.execute(sa.text(f"SET LOCAL search_path TO {schema}"))
        await connection.run_sync(_create_tables, [table.table for table in schema_tables])
        for table in schema_tables:
            await _copy_privileges(connection, schema, table)
    await connection.execute(sa.text(f"SET LOCAL search_path TO {shadow.schema}"))
    await connection.run_sync(_create_frame_tables)
    await connection.execute(sa.text(f"SET LOCAL search_path TO {LIVE_SCHEMA}"))
    for grantee in await _list_grantees(connection, tables):
        await connection.execute(sa.text(f"GRANT USAGE ON SCHEMA {shadow.schema} TO {grantee}"))
    await mark(connection, shadow)


def _create_tables(connection: sa.Connection, tables: Sequence[sa.Table]) -> None:
    for metadata in {table.metadata for table in tables}:
        metadata_tables = [table for table in tables if table.metadata is metadata]
        metadata.create_all(connection, tables=metadata_tables, checkfirst=False)
    # In a migration `alembic.op` is a module with the same functions.
    operations = cast("ModuleType", Operations(MigrationContext.configure(connection)))
    enable_row_security(operations, [table for table in tables if table.info.get("business")])


def _create_frame_tables(connection: sa.Connection) -> None:
    frame_metadata().create_all(connection, checkfirst=False)
    # UNLOGGED: after a crash a replay starts again, so its event ids may be lost.
    connection.execute(sa.text("CREATE UNLOGGED TABLE inbox_all PARTITION OF inbox DEFAULT"))


async def _copy_privileges(connection: AsyncConnection, schema: str, rebuilt: RebuiltTable) -> None:
    """Grant the live table's privileges, also on its sequences."""
    await _copy_grants(connection, f"{LIVE_SCHEMA}.{rebuilt.name}", f"{schema}.{rebuilt.name}")
    for column in rebuilt.table.columns:
        if column.identity is not None:
            live_sequence, shadow_sequence = [
                await connection.scalar(
                    _SEQUENCE_OF_COLUMN,
                    {"table": f"{place_schema}.{rebuilt.name}", "column": column.name},
                )
                for place_schema in (LIVE_SCHEMA, schema)
            ]
            await _copy_grants(connection, live_sequence, shadow_sequence, kind="SEQUENCE")


async def _copy_grants(
    connection: AsyncConnection, live: str, shadow: str, *, kind: str = "TABLE"
) -> None:
    for row in await connection.execute(_GRANTS, {"live": live}):
        grant = f"GRANT {row.privilege} ON {kind} {shadow} TO {row.grantee}"
        await connection.execute(sa.text(grant))


async def _list_grantees(connection: AsyncConnection, tables: Iterable[RebuiltTable]) -> list[str]:
    grantees: set[str] = set()
    for table in tables:
        rows = await connection.execute(_GRANTS, {"live": f"{LIVE_SCHEMA}.{table.name}"})
        grantees.update(cast("str", row.grantee) for row in rows)
    return sorted(grantees)


async def seed(
    connection: AsyncConnection, shadow: ShadowSchema, tables: Sequence[RebuiltTable]
) -> None:
    """Copy the live rows of tables in which applying an event twice changes nothing."""
    for table in tables:
        if not table.is_cumulative:
            statement = f"INSERT INTO {shadow.schema}.{table.name} TABLE {LIVE_SCHEMA}.{table.name}"
            await connection.execute(sa.text(statement))


async def analyze(
    connection: AsyncConnection, shadow: ShadowSchema, tables: Sequence[RebuiltTable]
) -> None:
    """Update the planner's statistics of the new tables before they are queried."""
    names = ", ".join(f"{shadow.schema}.{table.name}" for table in tables)
    await connection.execute(sa.text(f"ANALYZE {names}"))
