"""A PostgreSQL that crashes or freezes: a quick no meanwhile, and yes at once when it is back."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from uuid_utils.compat import uuid7

from deploy.local.choices import ServerName
from deploy.local.stack import Stack
from shared.kit.core.errors import Transient
from shared.kit.database import database as database_module
from shared.kit.database.database import Database
from tests.support.stack_process import descendant_pids

pytestmark = [pytest.mark.system, pytest.mark.allow_hosts(["127.0.0.1"])]
POSTGRES: frozenset[ServerName] = frozenset({"postgres"})
WORK = sa.text("SELECT pg_sleep(0.02)")
REQUESTS = 40  # twice the connections there are


@asynccontextmanager
async def open_database(home: Path) -> AsyncIterator[Database]:
    """A service's database with all its connections open; the server ends with the block."""
    async with Stack(home, server_names=POSTGRES, fast=True) as addresses:
        database = Database(
            "community",
            addresses.database_url("community", "app"),
            clock=lambda: datetime.now(UTC),
            new_id=uuid7,
            trace=lambda *_: None,
        )
        assert await count_served(database) == (REQUESTS, 0)
        yield database


async def count_served(database: Database) -> tuple[int, int]:
    """Send many requests at once; return how many were served and how many rejected for now."""
    served = await asyncio.gather(*(is_served(database) for _ in range(REQUESTS)))
    return served.count(True), served.count(False)


async def is_served(database: Database) -> bool:
    try:
        await database.execute_once(WORK)
    except Transient as error:
        return "retry_after" not in error.facts  # a refusal without it is no refusal
    return True


def postmaster_pid(home: Path) -> int:
    return int((home / "postgres" / "postmaster.pid").read_text().splitlines()[0])


async def test_crashed_postgres_is_rejected_at_once_and_used_on_return(
    tmp_path: Path,
) -> None:
    async with open_database(tmp_path) as database:
        os.kill(postmaster_pid(tmp_path), signal.SIGQUIT)  # pg_ctl stop -m immediate
        began = time.monotonic()
        while (await count_served(database))[0]:
            assert time.monotonic() - began < 5
        began = time.monotonic()
        down = await count_served(database)
        took = time.monotonic() - began
    async with Stack(tmp_path, server_names=POSTGRES, fast=True):
        back = await count_served(database)
    # Again, without requests during the outage.
    async with Stack(tmp_path, server_names=POSTGRES, fast=True):
        unnoticed = await count_served(database)
        await database.stop()

    assert down == (0, REQUESTS)
    assert took < 1
    assert back == unnoticed == (REQUESTS, 0)


async def test_frozen_postgres_blocks_requests_only_briefly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "STATEMENT_TIMEOUT_SECONDS", 2.0)
    async with open_database(tmp_path) as database:
        main = postmaster_pid(tmp_path)
        frozen = [main, *descendant_pids(main)]
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            down = await count_served(database)
            took = time.monotonic() - began
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)
        began = time.monotonic()
        while (await count_served(database))[1]:
            assert time.monotonic() - began < 5
        await database.stop()

    assert down == (0, REQUESTS)
    assert took < 2 + 2 + 3
