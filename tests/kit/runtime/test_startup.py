"""What a start waits for, and what it never waits for."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace

import asyncpg
import pytest

from shared.kit.core.errors import Transient
from shared.kit.runtime import startup as waiting
from shared.kit.runtime.startup import (
    CannotStart,
    RequiredServer,
    Unavailable,
    WaitPolicy,
    parse_database_address,
    parse_kafka_address,
    wait_until_available,
)

KAFKA = parse_kafka_address("kafka-1:9092,kafka-2:9093")


QUICK = WaitPolicy(pause_seconds=0.001, max_pause_seconds=0.002)


class Heard:
    """What the process was told of the server, in order."""

    def __init__(self) -> None:
        self.all: list[Unavailable | None] = []

    def __call__(self, server: RequiredServer, away: Unavailable | None) -> None:
        self.all.append(away)


def failing(times: int, error: Exception) -> Callable[[], Awaitable[str]]:
    left = [error] * times

    async def attempt() -> str:
        if left:
            raise left.pop()
        return "there"

    return attempt


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (ConnectionRefusedError(111, "Connect call failed"), "connection refused"),
        (TimeoutError(), "no answer"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "its name is not known"),
        (Transient(reason="asking for topics"), "Transient: try_again reason=asking for topics"),
        (
            asyncpg.CannotConnectNowError("the database system is starting up"),
            "CannotConnectNowError: the database system is starting up",
        ),
        (
            asyncpg.TooManyConnectionsError("sorry, too many clients already"),
            "TooManyConnectionsError: sorry, too many clients already",
        ),
    ],
)
async def test_what_may_come_back_is_waited_for(error: Exception, why: str) -> None:
    heard = Heard()

    assert await wait_until_available(KAFKA, failing(3, error), heard, QUICK) == "there"

    assert [away and away.reason for away in heard.all] == [why, why, why, None]


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.InvalidPasswordError('password authentication failed for user "metrics_app"'),
        asyncpg.InvalidCatalogNameError('database "preau_metrik" does not exist'),
        asyncpg.InsufficientPrivilegeError("permission denied for table outbox"),
        asyncpg.ClientConfigurationError("`sslmode` parameter must be one of ..."),
    ],
)
async def test_what_is_set_wrongly_ends_the_start_in_one_line(error: Exception) -> None:
    server = parse_database_address(
        "postgresql+asyncpg://a:geheim@db:6432/x", "METRICS_DATABASE_URL"
    )

    with pytest.raises(CannotStart) as refused:
        await wait_until_available(server, failing(1, error), Heard(), QUICK)

    said = str(refused.value)
    assert said.startswith("METRICS_DATABASE_URL is wrong: at db:6432, ")
    assert str(error) in said
    assert "\n" not in said
    assert "geheim" not in said


async def test_an_error_of_our_own_keeps_its_traceback() -> None:
    with pytest.raises(KeyError):
        await wait_until_available(KAFKA, failing(1, KeyError("topic")), Heard(), QUICK)


async def test_a_host_that_nobody_knows_is_waited_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unknown = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    known: set[str] = {"kafka-2"}

    async def look(host: str, port: int, **_: object) -> list[object]:
        if host in known:
            return []
        raise unknown

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look)
    assert await wait_until_available(KAFKA, failing(3, unknown), Heard(), QUICK) == "there"
    impatient = replace(QUICK, unknown_host_seconds=0.0)
    # One of its names is known: it may come back.
    assert await wait_until_available(KAFKA, failing(3, unknown), Heard(), impatient) == "there"
    known.clear()

    with pytest.raises(CannotStart, match="PREAU_KAFKA is wrong: no host is known as kafka-1:9092"):
        await wait_until_available(KAFKA, failing(3, unknown), Heard(), impatient)


async def test_a_name_server_that_is_away_is_no_unknown_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    away = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    async def look(host: str, port: int, **_: object) -> list[object]:
        raise away

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look)
    impatient = replace(QUICK, unknown_host_seconds=0.0)

    assert await wait_until_available(KAFKA, failing(3, away), Heard(), impatient) == "there"


async def test_it_is_said_at_growing_intervals(caplog: pytest.LogCaptureFixture) -> None:
    now = 100.0

    async def sleep(_: float) -> None:
        nonlocal now
        now += 1.0

    by_the_second = WaitPolicy(clock=lambda: now, sleep=sleep, unknown_host_seconds=1000)
    with caplog.at_level(logging.INFO):
        refused = failing(100, ConnectionRefusedError())
        await wait_until_available(KAFKA, refused, Heard(), by_the_second)

    begin, end = "waiting for Kafka at kafka-1:9092,kafka-2:9093, away for ", ": connection refused"
    *lines, last = (record.getMessage() for record in caplog.records)
    seconds = [line.removeprefix(begin).removesuffix(end) for line in lines]
    assert seconds == ["0 s", "1 s", "3 s", "7 s", "15 s", "31 s", "63 s"]
    assert last == "is there now"


@pytest.mark.parametrize("text", ["kafka", "kafka:", ":9092", "kafka:9o92", "kafka:9092,"])
def test_an_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(CannotStart, match="is not host:port"):
        parse_kafka_address(text)


@pytest.mark.allow_hosts(["127.0.0.1"])
async def test_one_open_port_of_several_is_enough() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    await waiting.probe_port(parse_kafka_address(f"127.0.0.1:1,127.0.0.1:{port}"))
    server.close()
    await server.wait_closed()
    with pytest.raises(ConnectionRefusedError):
        await waiting.probe_port(parse_kafka_address(f"127.0.0.1:1,127.0.0.1:{port}"))
