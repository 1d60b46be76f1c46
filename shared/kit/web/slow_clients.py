"""Closes connections of slow clients: by time, by unfinished requests per address, and in total.

A request is unfinished from its first byte (or the opening of its connection) until it was received
completely. Unfinished requests are checked once a second, the oldest first; young ones are never
closed, so that fast clients behind one address do not affect each other.
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
    """Maximum durations in seconds, and maximum numbers of unfinished requests.

    `head_seconds` and `body_seconds` limit receiving them; `answered_seconds` the rest of a body
    after its response was sent. Unfinished requests younger than `young_seconds` are not counted.
    Reading a response may take `read_seconds`, plus a second per `read_bytes_per_second` bytes.
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
    """A connection with an unfinished request or an unread response."""

    def is_late(self, now: float) -> bool:
        """Return whether its head, its body or the rest of its body took too long."""

    def client_address(self) -> str:
        """Return the client's address; `UNKNOWN_ADDRESS` is not counted per address."""

    def reject(self) -> None:
        """Close the connection, with an error response if one can still be sent."""


class SlowClientMonitor:
    """Tracks the unfinished requests and the unread responses of a server."""

    def __init__(
        self,
        limits: SlowClientLimits = SlowClientLimits(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits, self.clock = limits, clock
        self._unfinished: dict[ClientConnection, float] = {}
        self._unread: dict[ClientConnection, float] = {}

    def record_start(self, connection: ClientConnection) -> None:
        """Record the start of a request or the opening of a connection."""
        self._unfinished[connection] = self.clock()

    def record_end(self, connection: ClientConnection) -> None:
        """Record the end of a request (received completely) or the end of its connection."""
        self._unfinished.pop(connection, None)

    def record_stalled_response(self, connection: ClientConnection, size: int) -> None:
        """Record a stalled response: `size` bytes wait for the client to read them."""
        seconds = self.limits.read_seconds + size / self.limits.read_bytes_per_second
        self._unread[connection] = self.clock() + seconds

    def record_resumed_response(self, connection: ClientConnection) -> None:
        """Record the end of the stall: the client reads its response again."""
        self._unread.pop(connection, None)

    async def watch(self) -> None:
        """Run `sweep` once a second until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self.sweep()

    def sweep(self) -> None:
        """Close late connections, and the oldest ones above the maximum numbers."""
        now = self.clock()
        unread = [connection for connection, until in self._unread.items() if now > until]
        for connection in [*unread, *self._find_late(now)]:
            self.record_end(connection)
            self.record_resumed_response(connection)
            connection.reject()

    def _find_late(self, now: float) -> list[ClientConnection]:
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
        oldest = waiting[: max(0, excess)]
        return late + [connection for connection in oldest if connection not in late]
