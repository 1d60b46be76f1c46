"""A migrated database for the tests of the frame: frame once, emptied before each."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import asyncpg
import pytest
from uuid_utils.compat import uuid7

from deploy.local.provision import Role, create_database
from deploy.local.stack import StackAddresses
from shared.kit.database.database import Database
from shared.kit.database.migrations import migrate
from shared.kit.database.tables import TENANT_ROW_POLICY
from tests.support.inbox_harness import Clock, InboxHarness, no_trace
from tests.support.mini_service import MiniService
from tests.support.versioned_event import VersionedService

NAME = "kit_probe"
EMPTY = """
    TRUNCATE heads, outbox, inbox, positions, sequences, parked, halts, jobs, idempotency, audit,
        audit_progress, effects
    RESTART IDENTITY
"""


@dataclass(frozen=True)
class Frame:
    """Where the database is, for each of its three roles."""

    addresses: StackAddresses

    def url(self, role: Role) -> str:
        return self.addresses.database_url("community", role).replace("preau_community", NAME)


@pytest.fixture(scope="session")
def frame(postgres_addresses: StackAddresses) -> Iterator[Frame]:
    """The tables of a service as its migrations make them, and one of the tests' own."""
    migrated_frame = Frame(postgres_addresses)
    asyncio.run(_make(migrated_frame))
    yield migrated_frame
    asyncio.run(_drop(migrated_frame))


@pytest.fixture
async def database(frame: Frame) -> AsyncIterator[Database]:
    """The same under the app role, with nothing in it."""
    await _execute(frame.url("owner"), EMPTY)
    app_database = Database(
        "community", frame.url("app"), clock=Clock(), new_id=uuid7, trace=no_trace
    )
    await app_database.start()
    yield app_database
    await app_database.stop()


@pytest.fixture
async def harness(frame: Frame, database: Database) -> InboxHarness:
    """A consumer group that reads one topic into that database."""
    clock = database._clock
    assert isinstance(clock, Clock)
    inbox = InboxHarness(database, frame.url("owner"), clock)
    await inbox.make_topics()
    return inbox


@pytest.fixture
async def mini_service(frame: Frame, database: Database) -> MiniService:
    """A mini service with empty tables."""
    clock = database._clock
    assert isinstance(clock, Clock)
    service = MiniService(database, frame.url("owner"), frame.url("app"), clock)
    await service.open()
    return service


@pytest.fixture
async def versioned_service(frame: Frame, database: Database) -> VersionedService:
    """A service whose event has several versions, on that database."""
    clock = database._clock
    assert isinstance(clock, Clock)
    service = VersionedService(database, frame.url("owner"), frame.url("app"), clock)
    await service.create_topics()
    return service


async def _make(frame: Frame) -> None:
    await migrate("community", frame.addresses.database_url("community", "owner"))
    admin = await asyncpg.connect(frame.addresses.postgres.replace("+asyncpg", ""))
    try:
        await create_database(admin, "community", NAME, template="preau_community")
    finally:
        await admin.close()
    await _execute(
        frame.url("owner"),
        f"""
        CREATE TABLE effects (
            tenant_id uuid, nth bigint GENERATED ALWAYS AS IDENTITY, key text, words text,
            PRIMARY KEY (tenant_id, nth)
        );
        ALTER TABLE effects ENABLE ROW LEVEL SECURITY;
        ALTER TABLE effects FORCE ROW LEVEL SECURITY;
        CREATE POLICY tenants_visible ON effects
            USING ({TENANT_ROW_POLICY}) WITH CHECK ({TENANT_ROW_POLICY})
        """,
    )


async def _drop(frame: Frame) -> None:
    await _execute(frame.addresses.postgres, f"DROP DATABASE {NAME} WITH (FORCE)")


async def _execute(url: str, statement: str) -> None:
    owner = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        await owner.execute(statement)
    finally:
        await owner.close()
