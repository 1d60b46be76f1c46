"""Database: which roles may start, and which errors are transient."""

import asyncio

import asyncpg
import pytest
from uuid_utils.compat import uuid7

from deploy.local.stack import StackAddresses
from shared.kit.core.errors import Transient
from shared.kit.database.database import Database, UnsafeRole, connection, is_transient
from shared.kit.database.driver_statement import asyncpg_connection
from tests.kit.conftest import Frame
from tests.support.inbox_harness import Clock, InboxHarness, make_caller, no_trace

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


async def test_a_role_that_bypasses_row_level_security_may_not_start(
    postgres_addresses: StackAddresses, frame: Frame
) -> None:
    url = postgres_addresses.postgres.replace("postgresql://", "postgresql+asyncpg://")
    database = Database("community", url, clock=Clock(), new_id=uuid7, trace=no_trace)
    try:
        with pytest.raises(UnsafeRole):
            await database.start()
    finally:
        await database.stop()


async def test_the_app_role_may_not_change_tables_or_audit_rows(harness: InboxHarness) -> None:
    for forbidden in (
        "ALTER TABLE effects DISABLE ROW LEVEL SECURITY",
        "CREATE TABLE more (id int)",
        "UPDATE audit SET action = 'x'",
        "DELETE FROM audit",
    ):
        with pytest.raises(Exception, match=r"must be owner|permission denied"):
            async with harness.database.unit_for(()) as unit:
                await unit.connection.exec_driver_sql(forbidden)


async def test_a_terminated_connection_raises_transient(harness: InboxHarness) -> None:
    with pytest.raises(Transient):
        async with harness.database.unit(make_caller()) as unit:
            await connection(unit).exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")


async def test_a_failed_rollback_does_not_replace_the_error(harness: InboxHarness) -> None:
    """A cancellation that became a lost connection would be retried, and never end."""
    with pytest.raises(asyncio.CancelledError):  # noqa: PT012  a whole unit is meant
        async with harness.database.unit(make_caller()) as unit:
            asyncpg_connection(connection(unit)).terminate()
            raise asyncio.CancelledError
    async with harness.database.unit(make_caller()) as unit:
        await connection(unit).exec_driver_sql("SELECT 1")


async def test_an_invalid_statement_is_not_transient(harness: InboxHarness) -> None:
    with pytest.raises(Exception, match="does not exist") as raised:
        async with harness.database.unit(make_caller()) as unit:
            await connection(unit).exec_driver_sql("SELECT * FROM nowhere")

    assert not is_transient(raised.value)


def test_an_internal_client_error_of_asyncpg_is_transient() -> None:
    message = "cannot switch to state 12; another operation (2) is in progress"

    assert is_transient(asyncpg.InternalClientError(message))
