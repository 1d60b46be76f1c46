"""Migrations: Alembic per service, run by its owner role, never by the service itself.

A service's `migrations/` folder holds `versions/`; this module is the environment. The first
revision calls `create_schema`; a later one that adds a business table calls `enable_row_security`.
"""

from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import create_async_engine

from shared.kit.database.tables import (
    TENANT_ROW_POLICY,
    business_tables,
    frame_metadata,
    has_expiry,
)
from shared.kit.database.tls import engine_address

_COLUMNS = """
    SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'
"""
LOCK_TIMEOUT = "5s"
AUDIT_HEAD_COLUMNS = "tenant_id, member_id, number, hash, transaction"
"""The only columns of audit rows, of all tenants, that the relay's role may read."""
_ADVISORY_LOCK = 7_241_001
"""Held while migrating, so that two concurrent starts do not both migrate."""

_INBOX = (
    "CREATE TABLE inbox_default PARTITION OF inbox DEFAULT",
    # The smallest UUIDv7 of a day: its first 48 bits are milliseconds since 1970.
    """
    CREATE FUNCTION inbox_floor(day date) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
        SELECT (lpad(to_hex(extract(epoch FROM day)::bigint * 1000), 12, '0')
                || repeat('0', 20))::uuid
    $$
    """,
    # The app role may not create tables, so it calls this function. Events that arrived before the
    # partition of their day are moved out of the default partition: PostgreSQL refuses to attach
    # the new one otherwise.
    """
    CREATE FUNCTION inbox_keep(today date, ahead int, keep int) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DECLARE
        day date;
        name text;
    BEGIN
        FOR day IN SELECT generate_series(today, today + ahead, interval '1 day')::date LOOP
            name := 'inbox_' || to_char(day, 'YYYYMMDD');
            IF to_regclass(name) IS NULL THEN
                LOCK TABLE inbox_default IN ACCESS EXCLUSIVE MODE;
                EXECUTE format('CREATE TABLE %I (LIKE inbox INCLUDING ALL)', name);
                EXECUTE format($move$
                    WITH early AS (
                        DELETE FROM inbox_default WHERE event_id >= %L AND event_id < %L RETURNING *
                    )
                    INSERT INTO %I SELECT * FROM early
                $move$, inbox_floor(day), inbox_floor(day + 1), name);
                EXECUTE format('ALTER TABLE inbox ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                               name, inbox_floor(day), inbox_floor(day + 1));
            END IF;
        END LOOP;
        DELETE FROM inbox_default WHERE event_id < inbox_floor(today - keep);
        FOR name IN
            SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = 'inbox'::regclass AND c.relname ~ '^inbox_[0-9]{8}$'
              AND c.relname < 'inbox_' || to_char(today - keep, 'YYYYMMDD')
        LOOP
            EXECUTE format('DROP TABLE %I', name);
        END LOOP;
    END $$
    """,
)

_REMOVE_EXPIRED = """
    CREATE FUNCTION remove_expired(at_most int) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp AS $$
    DECLARE
        name text;
        removed bigint;
        total bigint := 0;
    BEGIN
        PERFORM set_config('app.expired', 'remove', true);
        FOR name IN
            SELECT tablename FROM pg_policies
            WHERE schemaname = 'public' AND policyname = 'expired_removable' ORDER BY tablename
        LOOP
            EXECUTE format($remove$
                DELETE FROM %1$I WHERE ctid = ANY (ARRAY(
                    SELECT ctid FROM %1$I WHERE expires_at < now() LIMIT %2$s
                    FOR UPDATE SKIP LOCKED
                )) AND expires_at < now()
            $remove$, name, at_most);
            GET DIAGNOSTICS removed = ROW_COUNT;
            total := total + removed;
        END LOOP;
        PERFORM set_config('app.expired', '', true);
        RETURN total;
    END $$
"""
"""Removes expired rows of all tenants; the app role sees only the tenants of its transaction."""
_READ_ONLY_VERSION = "REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {}_app"
_EXPIRED = "current_setting('app.expired', true) = 'remove' AND expires_at < now()"


def migrations_folder(service: str) -> Path:
    """Return the folder of a service's migrations, in a checkout or an installed wheel."""
    return Path(str(files(f"services.{service}"))) / "migrations"


def create_schema(op: ModuleType, service: str, features: Sequence[sa.MetaData]) -> None:
    """Create the tables of the kit and the features, their row policies and the roles' grants."""
    bind = op.get_bind()
    for metadata in (frame_metadata(), *features):
        metadata.create_all(bind, checkfirst=False)
        enable_row_security(op, business_tables(metadata))
    for statement in (*_INBOX, _REMOVE_EXPIRED):
        op.execute(statement)
    op.execute(f"GRANT SELECT, DELETE ON outbox TO {service}_relay")
    op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON audit FROM {service}_app")
    op.execute(f"GRANT SELECT ({AUDIT_HEAD_COLUMNS}) ON audit TO {service}_relay")
    op.execute(f"CREATE POLICY heads_visible ON audit FOR SELECT TO {service}_relay USING (true)")


def enable_row_security(op: ModuleType, tables: Iterable[sa.Table]) -> None:
    """Enable row-level security on these tables, also for their owner.

    Only the function `remove_expired` may delete rows of all tenants, and only expired ones.
    """
    for table in tables:
        name = table.name
        op.execute(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY tenants_visible ON {name} "
            f"USING ({TENANT_ROW_POLICY}) WITH CHECK ({TENANT_ROW_POLICY})"
        )
        if has_expiry(table):
            op.execute(
                f"CREATE POLICY expired_removable ON {name} TO CURRENT_USER "
                f"USING ({_EXPIRED}) WITH CHECK (false)"
            )


def _scripts(service: str) -> tuple[Config, ScriptDirectory]:
    config = Config()
    config.set_main_option("script_location", str(migrations_folder(service)).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config, ScriptDirectory.from_config(config)


def _upgrade(connection: sa.Connection, service: str) -> list[str]:
    config, scripts = _scripts(service)
    applied: list[str] = []

    def steps(revision: Any, _: MigrationContext) -> list[Any]:  # Any: Alembic's own step type
        upgrade_steps = scripts._upgrade_revs("head", revision)  # noqa: SLF001  as its own upgrade does
        applied.extend(step.revision.revision for step in upgrade_steps)
        return list(upgrade_steps)

    connection.execute(sa.text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:n)"), {"n": _ADVISORY_LOCK})
    with EnvironmentContext(config, scripts, fn=steps) as environment:
        environment.configure(connection=connection)
        environment.run_migrations()
    return applied


async def migrate(service: str, owner_url: str) -> list[str]:
    """Migrate a service's database to the newest revision; return the revisions applied."""
    address, tls = engine_address(owner_url)
    engine = create_async_engine(address, connect_args=tls)
    try:
        async with engine.begin() as connection:
            applied = await connection.run_sync(_upgrade, service)
            # Read at each start: a role that can write it can block a start, or skip a revision.
            await connection.execute(sa.text(_READ_ONLY_VERSION.format(service)))
            return applied
    finally:
        await engine.dispose()


def missing_revisions(connection: sa.Connection, service: str) -> list[str]:
    """Return the revisions that a database lacks; empty when its schema is new enough.

    An unknown revision belongs to a newer version of the service, whose schema is sufficient.
    """
    _, scripts = _scripts(service)
    known_revisions = [script.revision for script in scripts.walk_revisions()]
    current = _current_revision(connection)
    if current is not None and current not in known_revisions:
        return []
    return [step.revision for step in scripts.iterate_revisions("head", current or "base")]


def missing_frame_columns(connection: sa.Connection) -> list[str]:
    """Return the kit's columns that a database lacks although its revision is known.

    The first revision creates the columns that are declared at that time. A database created by an
    unreleased version therefore lacks columns that were declared later.
    """
    rows = connection.execute(sa.text(_COLUMNS))
    present = {f"{row.table_name}.{row.column_name}" for row in rows}
    declared = {
        f"{table.name}.{column.name}"
        for table in frame_metadata().tables.values()
        for column in table.c
    }
    return sorted(declared - present)


def _current_revision(connection: sa.Connection) -> str | None:
    exists = connection.scalar(sa.text("SELECT to_regclass('alembic_version')"))
    if exists is None:
        return None
    revision: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return revision


def schema_differences(connection: sa.Connection, features: Sequence[sa.MetaData]) -> list[Any]:
    """Return the differences between a migrated database and the declared tables; for tests."""
    context = MigrationContext.configure(connection, opts={"include_name": _is_declared})
    return list(compare_metadata(context, [frame_metadata(), *features]))  # type: ignore[arg-type]  # it takes a list too


def _is_declared(name: str | None, kind: str, _: object) -> bool:
    return not (kind == "table" and (name or "").startswith(("inbox_", "alembic_")))
