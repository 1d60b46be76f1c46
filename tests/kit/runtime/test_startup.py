"""Waiting for unavailable servers at the start, and errors that end it at once."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace

import asyncpg
import pytest

from shared.kit.core.errors import Transient
from shared.kit.runtime.startup import (
    CannotStart,
    RequiredServer,
    Unavailable,
    WaitPolicy,
    parse_database_address,
    parse_kafka_address,
    probe_port,
    wait_until_available,
)

KAFKA = parse_kafka_address("kafka-1:9092,kafka-2:9093")


QUICK = WaitPolicy(pause_seconds=0.001, max_pause_seconds=0.002)


class OutageRecorder:
    """Records the outages that `on_change` receives, in order."""

    def __init__(self) -> None:
        self.outages: list[Unavailable | None] = []

    def __call__(self, server: RequiredServer, outage: Unavailable | None) -> None:
        self.outages.append(outage)


def attempt_failing(times: int, error: Exception) -> Callable[[], Awaitable[str]]:
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
        (
            Transient(internal_reason="asking for topics"),
            "Transient: try_again internal_reason=asking for topics",
        ),
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
async def test_transient_error_is_retried(error: Exception, why: str) -> None:
    recorder = OutageRecorder()

    assert await wait_until_available(KAFKA, attempt_failing(3, error), recorder, QUICK) == "there"

    assert [outage and outage.reason for outage in recorder.outages] == [why, why, why, None]


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.InvalidPasswordError('password authentication failed for user "metrics_app"'),
        asyncpg.InvalidCatalogNameError('database "preau_metrik" does not exist'),
        asyncpg.InsufficientPrivilegeError("permission denied for table outbox"),
        asyncpg.ClientConfigurationError("`sslmode` parameter must be one of ..."),
    ],
)
async def test_wrong_setting_ends_the_start_in_one_line(error: Exception) -> None:
    server = parse_database_address(
        "postgresql+asyncpg://a:geheim@db:6432/x", "METRICS_DATABASE_URL"
    )

    with pytest.raises(CannotStart) as caught:
        await wait_until_available(server, attempt_failing(1, error), OutageRecorder(), QUICK)

    message = str(caught.value)
    assert message.startswith("METRICS_DATABASE_URL is wrong: at db:6432, ")
    assert str(error) in message
    assert "\n" not in message
    assert "geheim" not in message


async def test_programming_error_is_raised_unchanged() -> None:
    with pytest.raises(KeyError):
        await wait_until_available(
            KAFKA, attempt_failing(1, KeyError("topic")), OutageRecorder(), QUICK
        )


async def test_unknown_host_is_retried_for_a_limited_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unknown = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    known_hosts: set[str] = {"kafka-2"}

    async def lookup(host: str, port: int, **_: object) -> list[object]:
        if host in known_hosts:
            return []
        raise unknown

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", lookup)
    assert (
        await wait_until_available(KAFKA, attempt_failing(3, unknown), OutageRecorder(), QUICK)
        == "there"
    )
    short_policy = replace(QUICK, unknown_host_seconds=0.0)
    # One of its names is known: a retry may succeed.
    assert (
        await wait_until_available(
            KAFKA, attempt_failing(3, unknown), OutageRecorder(), short_policy
        )
        == "there"
    )
    known_hosts.clear()

    with pytest.raises(CannotStart, match="PREAU_KAFKA is wrong: no host is known as kafka-1:9092"):
        await wait_until_available(
            KAFKA, attempt_failing(3, unknown), OutageRecorder(), short_policy
        )


async def test_unavailable_dns_server_does_not_count_as_unknown_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    away = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    async def lookup(host: str, port: int, **_: object) -> list[object]:
        raise away

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", lookup)
    short_policy = replace(QUICK, unknown_host_seconds=0.0)

    assert (
        await wait_until_available(KAFKA, attempt_failing(3, away), OutageRecorder(), short_policy)
        == "there"
    )


async def test_outage_is_logged_at_growing_intervals(caplog: pytest.LogCaptureFixture) -> None:
    now = 100.0

    async def sleep(_: float) -> None:
        nonlocal now
        now += 1.0

    one_second_policy = WaitPolicy(clock=lambda: now, sleep=sleep, unknown_host_seconds=1000)
    with caplog.at_level(logging.INFO):
        refused = attempt_failing(100, ConnectionRefusedError())
        await wait_until_available(KAFKA, refused, OutageRecorder(), one_second_policy)

    begin, end = "waiting for Kafka at kafka-1:9092,kafka-2:9093, away for ", ": connection refused"
    *lines, last = (record.getMessage() for record in caplog.records)
    seconds = [line.removeprefix(begin).removesuffix(end) for line in lines]
    assert seconds == ["0 s", "1 s", "3 s", "7 s", "15 s", "31 s", "63 s"]
    assert last == "is there now"


@pytest.mark.parametrize("text", ["kafka", "kafka:", ":9092", "kafka:9o92", "kafka:9092,"])
def test_invalid_kafka_address_is_refused(text: str) -> None:
    with pytest.raises(CannotStart, match="is not host:port"):
        parse_kafka_address(text)


@pytest.mark.allow_hosts(["127.0.0.1"])
async def test_probe_succeeds_with_one_open_port_of_several() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    await probe_port(parse_kafka_address(f"127.0.0.1:1,127.0.0.1:{port}"))
    server.close()
    await server.wait_closed()
    with pytest.raises(ConnectionRefusedError):
        await probe_port(parse_kafka_address(f"127.0.0.1:1,127.0.0.1:{port}"))
