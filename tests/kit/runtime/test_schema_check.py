"""A database with a wrong role, password or schema: the start fails with a one-line reason."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import asyncpg
import pytest

from deploy.local.stack import StackAddresses
from shared.kit.database.migrations import migrate
from shared.kit.runtime.runner import build_services, run_services
from shared.kit.runtime.startup import CannotStart

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
UNREACHABLE_BROKER = "127.0.0.1:1"


@pytest.fixture
async def environment(postgres_addresses: StackAddresses) -> dict[str, str]:
    await migrate("community", postgres_addresses.database_url("community", "owner"))
    return {
        "COMMUNITY_DATABASE_URL": postgres_addresses.database_url("community", "app"),
        "COMMUNITY_RELAY_URL": postgres_addresses.database_url("community", "relay"),
        "PREAU_JWKS_URL": "http://127.0.0.1:1/",
    }


async def start_error(environment: Mapping[str, str]) -> str:
    """Start the roles that need no broker, and return the text of the error."""
    async with build_services(["community"], environment, UNREACHABLE_BROKER) as group:
        with pytest.raises(CannotStart) as caught:
            await group.start(["api", "relay"])
        assert not group.services[0].started
    return str(caught.value)


@asynccontextmanager
async def stored_revision(addresses: StackAddresses, name: str | None) -> AsyncIterator[None]:
    """Store this revision in the database, and restore the real one afterwards."""
    owner = await asyncpg.connect(
        addresses.database_url("community", "owner").replace("+asyncpg", "")
    )
    real_revision = await owner.fetchval("SELECT version_num FROM alembic_version")
    try:
        await owner.execute("DELETE FROM alembic_version")
        if name is not None:
            await owner.execute("INSERT INTO alembic_version VALUES ($1)", name)
        yield
    finally:
        await owner.execute("DELETE FROM alembic_version")
        await owner.execute("INSERT INTO alembic_version VALUES ($1)", real_revision)
        await owner.close()


async def test_role_that_bypasses_row_security_is_refused(
    environment: dict[str, str], postgres_addresses: StackAddresses
) -> None:
    admin_url, _, _ = postgres_addresses.postgres.rpartition("/")
    environment["COMMUNITY_DATABASE_URL"] = f"{admin_url}/preau_community".replace(
        "postgresql://", "postgresql+asyncpg://"
    )

    message = await start_error(environment)

    assert message == (
        "COMMUNITY_DATABASE_URL is wrong: its role may see the rows of every tenant."
    )


@pytest.mark.parametrize(
    ("setting", "role"),
    [("COMMUNITY_DATABASE_URL", "community_app"), ("COMMUNITY_RELAY_URL", "community_relay")],
)
async def test_wrong_password_is_refused(
    environment: dict[str, str], setting: str, role: str
) -> None:
    environment[setting] = environment[setting].replace(f"{role}:", f"{role}:x")

    message = await start_error(environment)

    assert f"{setting} is wrong: at 127.0.0.1:" in message
    assert f'password authentication failed for user "{role}"' in message


async def test_missing_database_is_refused(environment: dict[str, str]) -> None:
    environment["COMMUNITY_DATABASE_URL"] += "_"

    assert 'database "preau_community_" does not exist' in await start_error(environment)


async def test_relay_role_without_outbox_is_refused(
    environment: dict[str, str], postgres_addresses: StackAddresses
) -> None:
    relay = environment["COMMUNITY_RELAY_URL"]
    server_url, _, _ = relay.rpartition("/")
    environment["COMMUNITY_RELAY_URL"] = f"{server_url}/postgres"

    assert "COMMUNITY_RELAY_URL is wrong: " in await start_error(environment)


async def test_too_old_schema_is_refused(
    environment: dict[str, str], postgres_addresses: StackAddresses
) -> None:
    async with stored_revision(postgres_addresses, None):
        message = await start_error(environment)

    assert message == (
        "The database of community lacks revision 0001: run `preau migrate community` first."
    )


async def test_schema_made_before_the_first_release_is_refused(
    environment: dict[str, str], postgres_addresses: StackAddresses
) -> None:
    url = postgres_addresses.database_url("community", "owner").replace("+asyncpg", "")
    owner = await asyncpg.connect(url)
    try:
        await owner.execute("ALTER TABLE audit RENAME COLUMN transaction TO spare")
        message = await start_error(environment)
    finally:
        await owner.execute("ALTER TABLE audit RENAME COLUMN spare TO transaction")
        await owner.close()

    assert "made by a version before the first release (it lacks audit.transaction)" in message
    assert "make clean" in message


async def test_newer_schema_is_accepted(
    environment: dict[str, str], postgres_addresses: StackAddresses
) -> None:
    starting = run_services(["community"], environment, UNREACHABLE_BROKER, ["api"])
    async with stored_revision(postgres_addresses, "0999"), starting as (community,):
        assert community.started


async def test_api_role_needs_no_relay_database(environment: dict[str, str]) -> None:
    environment["COMMUNITY_RELAY_URL"] = "postgresql://x:x@127.0.0.1:1/x"

    async with run_services(["community"], environment, UNREACHABLE_BROKER, ["api"]) as (
        community,
    ):
        assert community.database_ready
