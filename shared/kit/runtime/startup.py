"""Wait at the start for servers that are unavailable; fail at once for wrong settings.

Unavailable means that a retry may succeed: a refused or broken connection, a server that is
starting or stopping, a timeout. Every other error ends the start (ADR 0047).
"""

import asyncio
import random
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import asyncpg
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from shared.kit.core.errors import Invalid, NotFound, PreauError
from shared.kit.core.settings import SettingError
from shared.kit.database.database import is_transient
from shared.kit.telemetry.logs import get_logger

log = get_logger("start")
PROBE_TIMEOUT_SECONDS = 3.0
T = TypeVar("T")
Endpoint = tuple[str, int]


@dataclass(frozen=True)
class WaitPolicy:
    """Backoff of attempts and of log lines: both intervals double up to their maximum.

    The start fails when the host name was unknown for `unknown_host_seconds`. One failed lookup is
    not enough: Kubernetes removes the name of a pod that is not ready, and DNS servers restart.
    `clock` must be monotonic.
    """

    pause_seconds: float = 0.25
    max_pause_seconds: float = 2.0
    log_interval_seconds: float = 1.0
    max_log_interval_seconds: float = 300.0
    unknown_host_seconds: float = 60.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


DEFAULT_WAIT_POLICY = WaitPolicy()


class CannotStart(SettingError):
    """The start fails in a way that a retry cannot fix: a setting is wrong."""


@dataclass(frozen=True)
class RequiredServer:
    """A server that the start needs, with the setting that holds its address.

    One available endpoint is enough.
    """

    display_name: str
    setting: str
    endpoints: tuple[Endpoint, ...]

    @property
    def addresses(self) -> str:
        """The endpoints as `host:port`, separated by commas."""
        return ",".join(f"{host}:{port}" for host, port in self.endpoints)


@dataclass(frozen=True)
class Unavailable:
    """An outage of a required server: its beginning on `clock`, and the last error."""

    server: RequiredServer
    since: float
    reason: str
    clock: Callable[[], float] = time.monotonic

    @property
    def seconds(self) -> float:
        """The duration of the outage so far."""
        return self.clock() - self.since

    def __str__(self) -> str:
        """Return the text for health checks, without the address."""
        return f"waits for {self.server.display_name}, away for {self.seconds:.0f} s"

    def log_message(self) -> str:
        """Return the text for the log, with the address."""
        server = f"{self.server.display_name} at {self.server.addresses}"
        return f"waiting for {server}, away for {self.seconds:.0f} s: {self.reason}"


AvailabilityCallback = Callable[[RequiredServer, Unavailable | None], None]
"""Called after each failed attempt, and with None when the server is available."""


def parse_kafka_address(bootstrap: str) -> RequiredServer:
    """Parse a bootstrap address: `host:port`, several with commas. Raises `CannotStart`."""
    endpoints: list[Endpoint] = []
    for text in bootstrap.split(","):
        host, _, port = text.strip().rpartition(":")
        if not host or not port.isdigit():
            message = f"PREAU_KAFKA is wrong: {text!r} is not host:port."
            raise CannotStart(message)
        endpoints.append((host.strip("[]"), int(port)))
    return RequiredServer("Kafka", "PREAU_KAFKA", tuple(endpoints))


def parse_database_address(url: str, setting: str) -> RequiredServer:
    """Parse the host and port of a database URL. Raises `CannotStart`."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        message = f"{setting} is wrong: it is no address of a database."
        raise CannotStart(message) from None
    endpoint = (parsed.host or "localhost", parsed.port or 5432)
    return RequiredServer("PostgreSQL", setting, (endpoint,))


async def wait_until_available(
    server: RequiredServer,
    attempt: Callable[[], Awaitable[T]],
    on_change: AvailabilityCallback,
    policy: WaitPolicy = DEFAULT_WAIT_POLICY,
) -> T:
    """Repeat an attempt until it succeeds, and return its result.

    Raises `CannotStart` for what a retry cannot fix: a refused password, a missing database, right
    or schema, a host name that stays unknown.
    """
    start, pause, log_interval = policy.clock(), policy.pause_seconds, policy.log_interval_seconds
    next_log_seconds = 0.0
    while True:
        try:
            result = await attempt()
        except Exception as error:  # noqa: BLE001  what a retry cannot fix is raised again
            if not _is_retryable(error):
                raise _to_setting_error(server, error) from error.__cause__
            outage = Unavailable(server, start, describe_error(error), policy.clock)
        else:
            on_change(server, None)
            if next_log_seconds:
                _log_available(server, policy.clock() - start)
            return result
        on_change(server, outage)
        if outage.seconds >= next_log_seconds:
            log.warning(outage.log_message())
            next_log_seconds = outage.seconds + log_interval
            log_interval = min(log_interval * 2, policy.max_log_interval_seconds)
        if outage.seconds >= policy.unknown_host_seconds and await _is_unknown_host(server):
            message = f"{server.setting} is wrong: no host is known as {server.addresses}."
            raise CannotStart(message)
        await policy.sleep(pause * random.uniform(0.75, 1.25))  # noqa: S311  no secret
        pause = min(pause * 2, policy.max_pause_seconds)


def _log_available(server: RequiredServer, seconds: float) -> None:
    name, addresses = server.display_name, server.addresses
    log.info("is there now", server=name, where=addresses, seconds=round(seconds))


async def probe_port(server: RequiredServer) -> None:
    """Open a connection to one of the endpoints, and close it. Raises OSError.

    Cheaper than a Kafka client, which also logs a long error at each failed attempt.
    """
    last_error: OSError = TimeoutError("no answer")
    for host, port in server.endpoints:
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_SECONDS):
                _, writer = await asyncio.open_connection(host, port)
        except OSError as error:
            last_error = error
            continue
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        return
    raise last_error


def _is_retryable(error: Exception) -> bool:
    # Trap: asyncpg reports invalid arguments as an InterfaceError (and ValueError) too.
    return is_transient(error) and not isinstance(_root_cause(error), ValueError)


def _to_setting_error(server: RequiredServer, error: Exception) -> Exception:
    """Turn an error that a server returned into `CannotStart`; return other errors unchanged."""
    cause = _root_cause(error)
    if isinstance(cause, Invalid | NotFound | asyncpg.PostgresError | asyncpg.InterfaceError):
        reason = describe_error(error)
        return CannotStart(f"{server.setting} is wrong: at {server.addresses}, {reason}.")
    return error


def _root_cause(error: BaseException) -> BaseException:
    """Return the error of the driver or the network below the errors that wrap it."""
    driver_error = OSError | asyncpg.PostgresError | asyncpg.InterfaceError
    while isinstance(error.__cause__, driver_error) or isinstance(error, DBAPIError | PreauError):
        if error.__cause__ is None:
            break
        error = error.__cause__
    return error


def describe_error(error: BaseException) -> str:
    """Describe in a few words why an attempt failed."""
    cause = _root_cause(error)
    if isinstance(cause, socket.gaierror):
        return "its name is not known"
    if isinstance(cause, ConnectionRefusedError):
        return "connection refused"
    if isinstance(cause, TimeoutError):
        return "no answer"
    text = " ".join(str(cause).split())
    return f"{type(cause).__name__}: {text}" if text else type(cause).__name__


async def _is_unknown_host(server: RequiredServer) -> bool:
    """Return whether DNS knows none of the server's host names."""
    loop = asyncio.get_running_loop()
    for host, port in server.endpoints:
        try:
            await loop.getaddrinfo(host, port)
        except socket.gaierror as error:
            if error.errno == socket.EAI_NONAME:
                continue
        return False
    return True
