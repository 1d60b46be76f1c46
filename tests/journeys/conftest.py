"""Five services in one process: real HTTP applications and PostgreSQL, the bus in memory."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.local.stack import StackAddresses
from tests.support.platform_harness import PlatformHarness, start_platform


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def platform(postgres_addresses: StackAddresses) -> AsyncIterator[PlatformHarness]:
    """Start the platform with two tenants; the second must never read data of the first."""
    with tempfile.TemporaryDirectory(prefix="préau-") as folder:
        async with start_platform(postgres_addresses, Path(folder)) as started:
            yield started


@pytest.fixture(autouse=True)
def _allow_sockets(socket_enabled: None) -> None:
    """Allow sockets: the session fixture opens connections in the first test that uses it."""
