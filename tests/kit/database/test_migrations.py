"""Migrations create the declared tables, under row-level security, once."""

from importlib import import_module

import asyncpg
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from deploy.local.provision import SERVICES
from deploy.local.stack import StackAddresses
from shared.kit.database.migrations import migrate, missing_revisions, schema_differences
from shared.kit.database.tables import business_tables, frame_metadata
from tests.support.inbox_harness import LYON, InboxHarness

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


def declared(service: str) -> tuple[sa.MetaData, ...]:
    features: tuple[sa.MetaData, ...] = import_module(f"services.{service}.main").TABLES
    return features


@pytest.mark.parametrize("service", SERVICES)
async def test_a_migrated_database_equals_the_declared_tables(
    postgres_addresses: StackAddresses, service: str
) -> None:
    owner = postgres_addresses.database_url(service, "owner")
    await migrate(service, owner)

    assert await migrate(service, owner) == []
    engine = create_async_engine(owner)
    try:
        async with engine.connect() as connected:
            assert await connected.run_sync(missing_revisions, service) == []
            assert await connected.run_sync(schema_differences, declared(service)) == []
    finally:
        await engine.dispose()


@pytest.mark.parametrize("service", SERVICES)
async def test_every_business_table_has_row_level_security(
    postgres_addresses: StackAddresses, service: str
) -> None:
    url = postgres_addresses.database_url(service, "owner")
    await migrate(service, url)
    names = {
        table.name
        for metadata in (frame_metadata(), *declared(service))
        for table in business_tables(metadata)
    }
    owner = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        rows = await owner.fetch(
            "SELECT relname FROM pg_class JOIN pg_policy ON polrelid = pg_class.oid "
            "WHERE relrowsecurity AND relforcerowsecurity AND polname = 'tenants_visible'"
        )
        with_tenant = await owner.fetch(
            "SELECT table_name FROM information_schema.columns "
            "WHERE column_name = 'tenant_id' AND table_schema = 'public'"
        )
    finally:
        await owner.close()
    covered = {row["relname"] for row in rows}
    assert covered == names
    # Parked events belong to the frame; the list of tenants is read before a tenant is known.
    assert {row["table_name"] for row in with_tenant} - covered <= {"parked", "tenants"}


async def test_an_undeclared_table_is_a_difference(harness: InboxHarness) -> None:
    engine = create_async_engine(harness.owner_url)
    try:
        async with engine.connect() as connected:
            found_differences = await connected.run_sync(schema_differences, declared("community"))
    finally:
        await engine.dispose()

    assert [(kind, table.name) for kind, table in found_differences] == [
        ("remove_table", "effects")
    ]


async def test_inbox_partitions_are_created_ahead_and_old_ones_dropped(
    harness: InboxHarness,
) -> None:
    await keep_inbox_partitions(harness, "2026-11-25")
    assert len(await partitions(harness)) == 8

    await keep_inbox_partitions(harness, "2027-01-10")

    assert await partitions(harness) == [f"inbox_202701{day}" for day in range(10, 18)]


async def test_events_older_than_their_partition_are_moved_into_it(
    harness: InboxHarness,
) -> None:
    await keep_inbox_partitions(harness, "2027-01-10")
    event = harness.publish("tôt", tenant=LYON)
    await harness.consume_all()

    today = (await harness.query("SELECT current_date AS day"))[0]["day"]
    await keep_inbox_partitions(harness, today.isoformat())

    (row,) = await harness.query(
        "SELECT event_id, tableoid::regclass::text AS partition FROM inbox"
    )
    assert row == {"event_id": event, "partition": f"inbox_{today:%Y%m%d}"}
    harness.publish("tôt", tenant=LYON, event_id=event)
    assert (await harness.consume_all()).duplicate == 1


async def keep_inbox_partitions(harness: InboxHarness, today: str) -> None:
    """Run the service's job under its app role."""
    query = sa.text("SELECT inbox_keep(CAST(CAST(:today AS text) AS date), 7, 30)")
    await harness.database.execute_once(query, today=today)


async def partitions(harness: InboxHarness) -> list[str]:
    rows = await harness.query(
        "SELECT relname FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid "
        "WHERE relname ~ '^inbox_[0-9]+$' ORDER BY 1"
    )
    return [row["relname"] for row in rows]


async def test_the_app_role_may_not_change_the_schema_version(
    postgres_addresses: StackAddresses,
) -> None:
    await migrate("metrics", postgres_addresses.database_url("metrics", "owner"))
    url = postgres_addresses.database_url("metrics", "app").replace("+asyncpg", "")
    app = await asyncpg.connect(url)
    try:
        assert await app.fetchval("SELECT version_num FROM alembic_version") == "0001"
        for statement in (
            "UPDATE alembic_version SET version_num = '0'",
            "DELETE FROM alembic_version",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await app.execute(statement)
    finally:
        await app.close()
