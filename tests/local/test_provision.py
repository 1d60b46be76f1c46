"""Roles and rights of the stack's databases, on a real PostgreSQL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from deploy.local import provision
from deploy.local.errors import StackError
from deploy.local.provision import ROLES, SERVICES, Role
from deploy.local.stack import StackAddresses

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        yield connection
    finally:
        await connection.close()


def as_role(addresses: StackAddresses, role: Role, service: str = "metrics") -> str:
    return addresses.database_url(service, role)


async def test_no_role_can_bypass_row_level_security(
    postgres_addresses: StackAddresses,
) -> None:
    async with connected(postgres_addresses.postgres) as admin:
        rights = await admin.fetch(
            "SELECT rolname, rolsuper OR rolbypassrls OR rolcreatedb OR rolcreaterole AS excess "
            "FROM pg_roles WHERE rolname = ANY($1)",
            provision.role_names(),
        )

    assert {row["rolname"]: row["excess"] for row in rights} == dict.fromkeys(
        provision.role_names(), False
    )
    assert len(rights) == len(SERVICES) * len(ROLES)


async def test_owner_creates_app_writes_and_relay_reads_nothing(
    postgres_addresses: StackAddresses,
) -> None:
    async with connected(as_role(postgres_addresses, "owner")) as owner:
        await owner.execute("CREATE TABLE things (id serial PRIMARY KEY, name text)")
    try:
        async with connected(as_role(postgres_addresses, "app")) as app:
            await app.execute("INSERT INTO things (name) VALUES ('une chose')")
            await app.execute("UPDATE things SET name = 'une autre'")
            assert await app.fetchval("SELECT name FROM things") == "une autre"
            await app.execute("DELETE FROM things")
            for refused in ("CREATE TABLE more (id int)", "DROP TABLE things", "TRUNCATE things"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await app.execute(refused)
        async with connected(as_role(postgres_addresses, "relay")) as relay:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await relay.fetch("SELECT * FROM things")
    finally:
        async with connected(as_role(postgres_addresses, "owner")) as owner:
            await owner.execute("DROP TABLE things")


@pytest.mark.parametrize("role", ROLES)
async def test_service_role_cannot_connect_to_another_database(
    postgres_addresses: StackAddresses, role: Role
) -> None:
    other_url = as_role(postgres_addresses, role).replace("preau_metrics", "preau_identity")

    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="CONNECT"):
        async with connected(other_url):
            pass


async def test_search_function_is_leakproof_for_its_index(
    postgres_addresses: StackAddresses,
) -> None:
    for service in SERVICES:
        async with connected(as_role(postgres_addresses, "app", service)) as app:
            assert await app.fetchval(
                "SELECT proleakproof FROM pg_proc "
                "WHERE oid = 'pg_catalog.ts_match_vq(tsvector, tsquery)'::regprocedure"
            )


async def test_provisioning_twice_changes_nothing(postgres_addresses: StackAddresses) -> None:
    async with connected(postgres_addresses.postgres) as admin:
        rights = await _rights(admin)
        await provision.provision_databases(
            postgres_addresses.postgres, postgres_addresses.passwords
        )
        assert await _rights(admin) == rights


async def test_excessive_right_is_revoked(postgres_addresses: StackAddresses) -> None:
    async with connected(postgres_addresses.postgres) as admin:
        await admin.execute("ALTER ROLE metrics_app BYPASSRLS")
        await provision.provision_databases(
            postgres_addresses.postgres, postgres_addresses.passwords
        )

        bypass = "SELECT rolbypassrls FROM pg_roles WHERE rolname = 'metrics_app'"
        assert await admin.fetchval(bypass) is False


async def test_copied_database_admits_only_its_three_roles(
    postgres_addresses: StackAddresses,
) -> None:
    async with connected(postgres_addresses.postgres) as admin:
        await provision.create_database(
            admin, "metrics", "copy_of_metrics", template="preau_metrics"
        )
    copy = as_role(postgres_addresses, "app").replace("preau_metrics", "copy_of_metrics")
    other = as_role(postgres_addresses, "app", "identity").replace(
        "preau_identity", "copy_of_metrics"
    )
    try:
        async with connected(copy) as app:
            assert await app.fetchval("SELECT has_schema_privilege('public', 'USAGE')")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with connected(other):
                pass
    finally:
        async with connected(postgres_addresses.postgres) as admin:
            await admin.execute("DROP DATABASE copy_of_metrics")


async def test_administrator_without_rights_gets_a_named_error(
    postgres_addresses: StackAddresses,
) -> None:
    url = postgres_addresses.database_url("metrics", "owner")

    with pytest.raises(StackError, match="PREAU_POSTGRES"):
        await provision.provision_databases(url, postgres_addresses.passwords)


async def _rights(admin: asyncpg.Connection) -> list[tuple[object, ...]]:
    rows = await admin.fetch(
        "SELECT datname, datdba::regrole::text, datacl::text FROM pg_database ORDER BY datname"
    )
    return [tuple(row) for row in rows]


@pytest.mark.parametrize("database", ["postgres", "template1", "preau_identity"])
async def test_roles_connect_to_no_other_database(
    postgres_addresses: StackAddresses, database: str
) -> None:
    for role in ROLES:
        url = as_role(postgres_addresses, role).rpartition("/")[0].replace("+asyncpg", "")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(f"{url}/{database}")
