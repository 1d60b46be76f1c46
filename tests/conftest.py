"""What every test may ask for: the servers, one start for the whole run."""

import asyncio
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.choices import ServerName
from deploy.local.stack import Stack, StackAddresses
from tests.support.parallel_groups import GroupScheduling, sort_by_group


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> GroupScheduling | None:
    """Distribute the tests of `make test-all` by group."""
    return GroupScheduling(config, log) if config.getoption("dist") == "loadgroup" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort the tests of `make test-all`; trap: in a worker `dist` is "no"."""
    if config.getoption("loadgroup", default=False):
        sort_by_group(items)


class _Started:
    """A stack that runs in a thread with its own event loop, separate from the tests' loops."""

    def __init__(self, home: Path, parts: frozenset[ServerName]) -> None:
        self._home, self._parts = home, parts
        self._ready = threading.Event()
        self._stop: asyncio.Event | None = None
        self._loop = asyncio.new_event_loop()
        self.addresses: StackAddresses | None = None
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._live())
        except BaseException as error:  # noqa: BLE001  handed to the test that asked
            self.error = error
        finally:
            self._ready.set()
            self._loop.close()

    async def _live(self) -> None:
        self._stop = asyncio.Event()
        async with Stack(self._home, server_names=self._parts, fast=True) as self.addresses:
            self._ready.set()
            await self._stop.wait()

    def start(self) -> StackAddresses:
        self._thread.start()
        self._ready.wait(90)
        if self.addresses is None:
            raise RuntimeError("the servers did not start") from self.error
        return self.addresses

    def stop(self) -> None:
        if self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)


@pytest.fixture(scope="session")
def stack_addresses() -> Iterator[StackAddresses]:
    """Kafka, PostgreSQL and Redis, for `system` tests."""
    with tempfile.TemporaryDirectory(prefix="préau-") as folder:
        started = _Started(Path(folder) / "home", frozenset({"kafka", "postgres", "redis"}))
        yield started.start()
        started.stop()


@pytest.fixture(scope="session")
def postgres_addresses(request: pytest.FixtureRequest) -> Iterator[StackAddresses]:
    """PostgreSQL alone, which `make test` may use: it needs no Java and starts in a second."""
    with tempfile.TemporaryDirectory(prefix="préau-") as folder:
        started = _Started(Path(folder) / "home", frozenset({"postgres"}))
        yield started.start()
        started.stop()


@pytest.fixture(scope="session")
def redis_addresses() -> Iterator[StackAddresses]:
    """Redis alone, which `make test` may use: it starts in a moment."""
    with tempfile.TemporaryDirectory(prefix="préau-") as folder:
        started = _Started(Path(folder) / "home", frozenset({"redis"}))
        yield started.start()
        started.stop()
