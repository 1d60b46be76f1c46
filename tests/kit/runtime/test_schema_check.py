"""A database that is not as this version needs it: said in a line, nothing is served from it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import asyncpg
import pytest

from deploy.local.stack import StackAddresses
from shared.kit.database.migrations import migrate
from shared.kit.runtime import runner as run
from shared.kit.runtime.startup import CannotStart

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
NOWHERE = "127.0.0.1:1"


@pytest.fixture
async def environment(postgres_addresses: StackAddresses) -> dict[str, str]:
    await migrate("community", postgres_addresses.database_url("community", "owner"))
    return {
        "COMMUNITY_DATABASE_URL": postgres_addresses.database_url("community", "app"),
        "COMMUNITY_RELAY_URL": postgres_addresses.database_url("community", "relay"),
        "PREAU_JWKS_URL": "http://127.0.0.1:1/",
    }


async def refused(environment: Mapping[str, str]) -> str:
    """Start what needs no broker, and give why it cannot."""
    async with run.build_services(["community"], environment, NOWHERE) as parts:
        with pytest.raises(CannotStart) as why:
            await parts.start(["api", "relay"])
        assert not parts.services[0].started
    return str(why.value)


@asynccontextmanager
async def revision(addresses: StackAddresses, name: str | None) -> AsyncIterator[None]:
    """Let the database say that it is at this revision."""
    owner = await asyncpg.connect(
        addresses.database_url("community", "owner").replace("+asyncpg", "")
    )
    before = await owner.fetchval("SELECT version_num FROM alembic_version")
    try:
        await owner.execute("DELETE FROM alembic_version")
        if name is not None:
            await owner.execute("INSERT INTO alembic_version VALUES ($1)", name)
        yield
    finally:
        await owner.execute("DELETE FROM alembic_version")
        await owner.execute("INSERT INTO alembic_version VALUES ($1)", before)
        await owner.close()


async def test_a_role_that_sees_everything(
    environment: dict[str, str], postgres_addresses: StackAddresses
) -> None:
    before, _, _ = postgres_addresses.postgres.rpartition("/")
    environment["COMMUNITY_DATABASE_URL"] = f"{before}/preau_community".replace(
        "postgresql://", "postgresql+asyncpg://"
    )

    said = await refused(environment)

    assert said == ("COMMUNITY_DATABASE_URL is wrong: its role may see the rows of every tenant.")


@pytest.mark.parametrize(
    ("setting", "role"),
    [("COMMUNITY_DATABASE_URL", "community_app"), ("COMMUNITY_RELAY_URL", "community_relay")],
)
async def test_a_wrong_password(environment: dict[str, str], setting: str, role: str) -> None:
    environment[setting] = environment[setting].replace(f"{role}:", f"{role}:x")

    said = await refused(environment)

    assert f"{setting} is wrong: at 127.0.0.1:" in said
    assert f'password authentication failed for user "{role}"' in said


async def test_a_database_that_is_not_there(environment: dict[str, str]) -> None:
    environment["COMMUNITY_DATABASE_URL"] += "_"

    assert 'database "preau_community_" does not exist' in await refused(environment)


async def test_a_relay_that_is_no_relay(
    environment: dict[str, str], postgres_addresses: StackAddresses
) -> None:
    relay = environment["COMMUNITY_RELAY_URL"]
    place, _, _ = relay.rpartition("/")
    environment["COMMUNITY_RELAY_URL"] = f"{place}/postgres"

    assert "COMMUNITY_RELAY_URL is wrong: " in await refused(environment)


async def test_a_schema_that_is_too_old(
    environment: dict[str, str], postgres_addresses: StackAddresses
) -> None:
    async with revision(postgres_addresses, None):
        said = await refused(environment)

    assert said == (
        "The database of community lacks revision 0001: run `preau migrate community` first."
    )


async def test_a_schema_made_before_the_first_release_is_refused(
    environment: dict[str, str], postgres_addresses: StackAddresses
) -> None:
    url = postgres_addresses.database_url("community", "owner").replace("+asyncpg", "")
    owner = await asyncpg.connect(url)
    try:
        await owner.execute("ALTER TABLE audit RENAME COLUMN transaction TO spare")
        said = await refused(environment)
    finally:
        await owner.execute("ALTER TABLE audit RENAME COLUMN spare TO transaction")
        await owner.close()

    assert "made by a version before the first release (it lacks audit.transaction)" in said
    assert "make clean" in said


async def test_a_schema_of_a_newer_version_is_new_enough(
    environment: dict[str, str], postgres_addresses: StackAddresses
) -> None:
    starting = run.run_services(["community"], environment, NOWHERE, ["api"])
    async with revision(postgres_addresses, "0999"), starting as (community,):
        assert community.started


async def test_who_only_serves_the_api_needs_no_relay_role(environment: dict[str, str]) -> None:
    environment["COMMUNITY_RELAY_URL"] = "postgresql://x:x@127.0.0.1:1/x"

    async with run.run_services(["community"], environment, NOWHERE, ["api"]) as (community,):
        assert community.database_ready
