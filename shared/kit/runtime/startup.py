"""Waiting for a server that is away when a process starts; what is set wrongly is never waited for.

Away is whatever may come back by itself: a refused or broken connection, a server that is starting
or going down, one that does not answer in time. Everything else ends the start (ADR 0047).
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
"""Seconds that an open port may take to answer."""
T = TypeVar("T")
Endpoint = tuple[str, int]


@dataclass(frozen=True)
class WaitPolicy:
    """How to wait; all in seconds, and by a clock that only goes forward.

    Attempts and lines of the log become rarer, by half each time. `unknown` is how long no name of
    a server may be known: Kubernetes forgets the name of a pod that is not ready, and a name server
    is restarted too, so that an unknown name alone proves nothing.
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
    """It would be the same at the next try: a setting names what is not there, or not ours."""


@dataclass(frozen=True)
class RequiredServer:
    """What a start needs: its name for people, the variable that says where it is, and the places.

    One of the places is enough.
    """

    display_name: str
    setting: str
    endpoints: tuple[Endpoint, ...]

    @property
    def addresses(self) -> str:
        """The places, as one writes them."""
        return ",".join(f"{host}:{port}" for host, port in self.endpoints)


@dataclass(frozen=True)
class Unavailable:
    """A server that is waited for: since when, by which clock, and why."""

    server: RequiredServer
    since: float
    reason: str
    clock: Callable[[], float] = time.monotonic

    @property
    def seconds(self) -> float:
        """For how long already."""
        return self.clock() - self.since

    def __str__(self) -> str:
        """Say it to who asks for the health: an address goes to the log only."""
        return f"waits for {self.server.display_name}, away for {self.seconds:.0f} s"

    def log_message(self) -> str:
        """Say it to who reads the log."""
        where = f"{self.server.display_name} at {self.server.addresses}"
        return f"waiting for {where}, away for {self.seconds:.0f} s: {self.reason}"


AvailabilityCallback = Callable[[RequiredServer, Unavailable | None], None]
"""Is told of each failed attempt, and with None once the server is there."""


def parse_kafka_address(bootstrap: str) -> RequiredServer:
    """Read a bootstrap address, `host:port`, several with commas. Raises `CannotStart`."""
    places: list[Endpoint] = []
    for text in bootstrap.split(","):
        host, _, port = text.strip().rpartition(":")
        if not host or not port.isdigit():
            message = f"PREAU_KAFKA is wrong: {text!r} is not host:port."
            raise CannotStart(message)
        places.append((host.strip("[]"), int(port)))
    return RequiredServer("Kafka", "PREAU_KAFKA", tuple(places))


def parse_database_address(url: str, setting: str) -> RequiredServer:
    """Read where a database is. Raises `CannotStart`."""
    try:
        read = make_url(url)
    except (ArgumentError, ValueError):
        message = f"{setting} is wrong: it is no address of a database."
        raise CannotStart(message) from None
    return RequiredServer("PostgreSQL", setting, ((read.host or "localhost", read.port or 5432),))


async def wait_until_available(
    server: RequiredServer,
    attempt: Callable[[], Awaitable[T]],
    on_change: AvailabilityCallback,
    policy: WaitPolicy = DEFAULT_WAIT_POLICY,
) -> T:
    """Attempt until it succeeds, and give its result.

    Raises `CannotStart` for what waiting cannot mend: a refused password, a database, a right or a
    schema that is not there, a host that nobody knows for long.
    """
    since, pause, silence = policy.clock(), policy.pause_seconds, policy.log_interval_seconds
    next_line = 0.0
    while True:
        try:
            found = await attempt()
        except Exception as error:  # noqa: BLE001  what does not come back is raised again
            if not _may_come_back(error):
                raise _in_a_line(server, error) from error.__cause__
            away = Unavailable(server, since, describe_error(error), policy.clock)
        else:
            on_change(server, None)
            if next_line:
                waited = round(policy.clock() - since)
                log.info(
                    "is there now",
                    server=server.display_name,
                    where=server.addresses,
                    seconds=waited,
                )
            return found
        on_change(server, away)
        if away.seconds >= next_line:
            log.warning(away.log_message())
            next_line = away.seconds + silence
            silence = min(silence * 2, policy.max_log_interval_seconds)
        if away.seconds >= policy.unknown_host_seconds and await _nobody_knows(server):
            message = f"{server.setting} is wrong: no host is known as {server.addresses}."
            raise CannotStart(message)
        await policy.sleep(pause * random.uniform(0.75, 1.25))  # noqa: S311  no secret
        pause = min(pause * 2, policy.max_pause_seconds)


async def probe_port(server: RequiredServer) -> None:
    """Open a port of the server, and close it. Raises OSError.

    Cheaper than its client, and quieter: that one writes a page at each attempt.
    """
    failed: OSError = TimeoutError("no answer")
    for host, port in server.endpoints:
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_SECONDS):
                _, writer = await asyncio.open_connection(host, port)
        except OSError as error:
            failed = error
            continue
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        return
    raise failed


def _may_come_back(error: Exception) -> bool:
    # A driver's complaint about its own arguments is an InterfaceError too.
    return is_transient(error) and not isinstance(_told(error), ValueError)


def _in_a_line(server: RequiredServer, error: Exception) -> Exception:
    """Put what a server refused into a line; what no server said stays as it is."""
    told = _told(error)
    if isinstance(told, Invalid | NotFound | asyncpg.PostgresError | asyncpg.InterfaceError):
        return CannotStart(
            f"{server.setting} is wrong: at {server.addresses}, {describe_error(error)}."
        )
    return error


def _told(error: BaseException) -> BaseException:
    """Return what a driver or the network said, not those who passed it on."""
    said = OSError | asyncpg.PostgresError | asyncpg.InterfaceError
    while isinstance(error.__cause__, said) or isinstance(error, DBAPIError | PreauError):
        if error.__cause__ is None:
            break
        error = error.__cause__
    return error


def describe_error(error: BaseException) -> str:
    """Say in a few words why an attempt failed."""
    told = _told(error)
    if isinstance(told, socket.gaierror):
        return "its name is not known"
    if isinstance(told, ConnectionRefusedError):
        return "connection refused"
    if isinstance(told, TimeoutError):
        return "no answer"
    text = " ".join(str(told).split())
    return f"{type(told).__name__}: {text}" if text else type(told).__name__


async def _nobody_knows(server: RequiredServer) -> bool:
    """Return whether there is no such host under any of the names."""
    loop = asyncio.get_running_loop()
    for host, port in server.endpoints:
        try:
            await loop.getaddrinfo(host, port)
        except socket.gaierror as error:
            if error.errno == socket.EAI_NONAME:
                continue
        return False
    return True
