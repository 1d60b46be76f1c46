"""Valkey requires a password, and the services' user may run only the needed commands."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError

from deploy.local import valkey
from deploy.local.errors import StackError
from deploy.local.stack import StackAddresses

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

REFUSED = (
    "CONFIG GET dir",
    "CONFIG SET dir /tmp",
    "SAVE",
    "BGSAVE",
    "BGREWRITEAOF",
    "DEBUG SLEEP 0",
    "MODULE LIST",
    "SCRIPT FLUSH",
    "EVAL return 1 0",
    "FUNCTION LIST",
    "FLUSHALL",
    "FLUSHDB",
    "SWAPDB 0 1",
    "KEYS *",
    "SCAN 0",
    "RANDOMKEY",
    "MIGRATE 127.0.0.1 1 k 0 1",
    "RESTORE preau:k 0 x",
    "REPLICAOF 127.0.0.1 1",
    "SHUTDOWN NOSAVE",
    "ACL LIST",
    "ACL SETUSER default on nopass ~* +@all",
    "CLIENT LIST",
    "CLIENT KILL ID 1",
    "MONITOR",
    "INFO",
    "LATENCY DOCTOR",
    "PUBLISH a b",
    "SUBSCRIBE a",
    "LPUSH preau:l a",
    "XADD preau:x * a b",
    "SORT preau:l",
    "LCS preau:a preau:b",
)


@pytest.mark.parametrize("command", REFUSED)
async def test_services_user_may_not_run_other_commands(
    redis_addresses: StackAddresses, command: str
) -> None:
    client = Redis.from_url(redis_addresses.redis)
    try:
        with pytest.raises(ResponseError, match=r"permission|not allowed"):
            await client.execute_command(*command.split())  # type: ignore[no-untyped-call]
    finally:
        await client.aclose()


async def test_services_user_counts_in_windows(redis_addresses: StackAddresses) -> None:
    client = Redis.from_url(redis_addresses.redis)
    try:
        async with client.pipeline(transaction=True) as pipeline:
            pipeline.zadd("preau:t:window", {"a": 1})
            pipeline.zremrangebyscore("preau:t:window", "-inf", 0)
            pipeline.zcard("preau:t:window")
            pipeline.hset("preau:t:hash", "a", "1")
            pipeline.incr("preau:t:count")
            pipeline.pexpire("preau:t:count", 1000)
            pipeline.delete("preau:t:window", "preau:t:hash")
            results = await pipeline.execute()
        assert results == [1, 0, 1, 1, 1, 1, 2]
    finally:
        await client.aclose()


@pytest.mark.parametrize("login", ["", ":guess@", "preau:guess@", "admin:guess@", "default:@"])
async def test_client_without_the_password_runs_no_command(
    redis_addresses: StackAddresses, login: str
) -> None:
    address = urlsplit(redis_addresses.redis).netloc.rpartition("@")[2]
    client = Redis.from_url(f"redis://{login}{address}/0")
    try:
        for command in ("PING", "CONFIG", "GET"):
            with pytest.raises((AuthenticationError, NoPermissionError)):
                await client.execute_command(command, "a")  # type: ignore[no-untyped-call]
    finally:
        await client.aclose()


def test_configuration_and_command_contain_no_password(tmp_path: Path) -> None:
    passwords = {name: f"word-of-{name}" for name in valkey.SECRET_NAMES.values()}
    program = valkey.server_program(tmp_path, 1, passwords, fast=False)
    text = (tmp_path / "valkey" / valkey.CONFIGURATION).read_text()
    for password in passwords.values():
        assert password not in text
        assert password not in " ".join(program.command)
    assert (tmp_path / "valkey" / valkey.CONFIGURATION).stat().st_mode & 0o077 == 0


def test_machine_without_a_binary_gets_the_setting_to_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(StackError, match=r"riscv64.*PREAU_REDIS"):
        valkey.find_binary()
