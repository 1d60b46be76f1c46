"""Slow clients: when a connection has had its time, and how many an address may keep waiting.

A connection is unfinished from its first byte (or from its opening) until its request has come in
whole. Once a second the unfinished ones are looked at, the oldest first. Those that are young are
never closed: fast clients behind one address do not disturb each other.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from shared.kit.web.client_address import UNKNOWN_ADDRESS

SWEEP_SECONDS = 1.0


@dataclass(frozen=True)
class SlowClientLimits:
    """What a client may take: times are in seconds, counts are of unfinished requests.

    `head_seconds` for the head, `body_seconds` for the body, whoever reads it; `answered_seconds`
    for the rest of a body that was answered before it had come. `young_seconds` is the age up to
    which an unfinished request is not counted. A client that reads may take `read_seconds`, and one
    second more for each `read_bytes_per_second` bytes.
    """

    head_seconds: float = 10.0
    body_seconds: float = 130.0
    answered_seconds: float = 5.0
    young_seconds: float = 2.0
    read_seconds: float = 30.0
    read_bytes_per_second: int = 10_000
    per_address: int = 200
    in_all: int = 4_000


class ClientConnection(Protocol):
    """A connection whose request has not come in whole."""

    def is_late(self, now: float) -> bool:
        """Tell whether its head, its body, or the rest of it has had its time."""

    def client_address(self) -> str:
        """Give the client's address, as far as it is known; `UNKNOWN` is not counted."""

    def reject(self) -> None:
        """Say why, if there is an answer to give, and close it."""


class SlowClientMonitor:
    """The unfinished requests of a server, and the answers that nobody reads."""

    def __init__(
        self,
        limits: SlowClientLimits = SlowClientLimits(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits, self.clock = limits, clock
        self._unfinished: dict[ClientConnection, float] = {}
        self._unread: dict[ClientConnection, float] = {}

    def record_start(self, connection: ClientConnection) -> None:
        """Note that a request, or a connection, begins."""
        self._unfinished[connection] = self.clock()

    def record_end(self, connection: ClientConnection) -> None:
        """Note that a request has come in whole, or that its connection is gone."""
        self._unfinished.pop(connection, None)

    def record_stalled_response(self, connection: ClientConnection, size: int) -> None:
        """Note that so many bytes of an answer wait for their reader."""
        seconds = self.limits.read_seconds + size / self.limits.read_bytes_per_second
        self._unread[connection] = self.clock() + seconds

    def record_resumed_response(self, connection: ClientConnection) -> None:
        """Note that an answer waits no longer."""
        self._unread.pop(connection, None)

    async def watch(self) -> None:
        """Look at them once a second, until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self.sweep()

    def sweep(self) -> None:
        """Close the connections that are late, and the oldest ones where there are too many."""
        now = self.clock()
        unread = [each for each, until in self._unread.items() if now > until]
        for connection in [*unread, *self._late(now)]:
            self.record_end(connection)
            self.record_resumed_response(connection)
            connection.reject()

    def _late(self, now: float) -> list[ClientConnection]:
        late: list[ClientConnection] = []
        waiting: list[ClientConnection] = []
        for connection, since in self._unfinished.items():
            if now - since < self.limits.young_seconds:
                break
            (late if connection.is_late(now) else waiting).append(connection)
        by_address: defaultdict[str, list[ClientConnection]] = defaultdict(list)
        for connection in waiting:
            by_address[connection.client_address()].append(connection)
        by_address.pop(UNKNOWN_ADDRESS, None)
        for group in by_address.values():
            late += group[: max(0, len(group) - self.limits.per_address)]
        excess = len(waiting) - self.limits.in_all
        return late + [each for each in waiting[: max(0, excess)] if each not in late]
