"""Faults of the local stack: a killed server, corrupted data, an administrator with few rights."""

import asyncio
import os
import signal
from pathlib import Path

import asyncpg
import pytest

from deploy.local import provision
from deploy.local.choices import ServerName
from deploy.local.errors import StackError
from deploy.local.stack import Stack
from tests.support.stack_process import descendant_pids

pytestmark = [pytest.mark.system, pytest.mark.allow_hosts(["127.0.0.1"])]

POSTGRES: frozenset[ServerName] = frozenset({"postgres"})
REDIS: frozenset[ServerName] = frozenset({"redis"})
KAFKA: frozenset[ServerName] = frozenset({"kafka"})


async def test_server_that_exits_is_named(tmp_path: Path) -> None:
    pids_before = set(descendant_pids(os.getpid()))
    stack = Stack(tmp_path, server_names=REDIS)
    async with stack:
        server = _started_since(pids_before, "valkey-serv")
        os.kill(server, signal.SIGKILL)

        error = await asyncio.wait_for(stack.wait_for_failure(), 5)

    assert str(error).startswith("Valkey stopped by itself")


async def test_a_killed_broker_returns_to_its_data(tmp_path: Path) -> None:
    pids_before = set(descendant_pids(os.getpid()))
    async with Stack(tmp_path, server_names=KAFKA):
        server = _started_since(pids_before, "java")
        os.kill(server, signal.SIGKILL)

    async with asyncio.timeout(20):
        async with Stack(tmp_path, server_names=KAFKA) as again:
            assert again.kafka


async def test_corrupted_redis_file_is_reported_in_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "valkey" / "appendonlydir"
    folder.mkdir(parents=True)
    (folder / "appendonly.aof.manifest").write_text("file appendonly.aof.1.incr.aof seq 1 type i\n")
    (folder / "appendonly.aof.1.incr.aof").write_bytes(b"*1\r\n$nonsense\r\n" * 9)

    assert "Valkey stopped by itself" in await _refusal(tmp_path, REDIS)


async def test_corrupted_postgres_control_file_is_reported_in_one_line(tmp_path: Path) -> None:
    async with Stack(tmp_path, server_names=POSTGRES, fast=True):
        pass
    control = tmp_path / "postgres" / "global" / "pg_control"
    control.write_bytes(bytes(reversed(control.read_bytes())))

    assert "PostgreSQL stopped by itself" in await _refusal(tmp_path, POSTGRES)


async def test_an_administrator_need_not_be_a_superuser(tmp_path: Path) -> None:
    # What a managed PostgreSQL gives: a role that may create databases and roles, and no more.
    async with Stack(tmp_path, server_names=POSTGRES, fast=True) as addresses:
        guest = await _empty_server_with_guest(addresses.postgres)

        await provision.provision_databases(guest, addresses.passwords)
        await provision.provision_databases(guest, addresses.passwords)

        owner = await asyncpg.connect(_plain(addresses.database_url("metrics", "owner")))
        await owner.execute("CREATE TABLE things (id serial PRIMARY KEY)")
        await owner.close()
        app = await asyncpg.connect(_plain(addresses.database_url("metrics", "app")))
        assert await app.fetchval("INSERT INTO things DEFAULT VALUES RETURNING id") == 1
        await app.close()


async def _empty_server_with_guest(admin: str) -> str:
    connection = await asyncpg.connect(admin)
    for service in provision.SERVICES:
        await connection.execute(f"DROP DATABASE {provision.database_name(service)}")
    for name in provision.role_names():
        await connection.execute(f"DROP ROLE {name}")
    await connection.execute("CREATE ROLE guest LOGIN CREATEDB CREATEROLE PASSWORD 'word'")
    await connection.execute("GRANT CONNECT ON DATABASE postgres TO guest")
    await connection.close()
    return f"postgresql://guest:word@{admin.rpartition('@')[2]}"


async def _refusal(home: Path, parts: frozenset[ServerName]) -> str:
    with pytest.raises(StackError) as caught:
        await Stack(home, server_names=parts).__aenter__()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def _plain(url: str) -> str:
    return url.replace("+asyncpg", "")


def _command(pid: int) -> str:
    """Return a program's short name; empty when it has just ended."""
    try:
        return (Path("/proc") / str(pid) / "comm").read_text().strip()[:12]
    except OSError:
        return ""


def _started_since(pids_before: set[int], command: str) -> int:
    """Find our server among those of the other tests' stacks."""
    new = set(descendant_pids(os.getpid())) - pids_before
    (server,) = [pid for pid in new if _command(pid).startswith(command)]
    return server
