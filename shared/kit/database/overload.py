"""How hard a service is pressed, and how much it takes on: numbers in memory, cheap to look at.

The rule (docs/adr/0044): work that can wait is refused with 503 and a time to come back when facts
leave the outbox slower than they arrive, or when no connection is free in time.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from shared.kit.core.errors import Transient
from shared.kit.core.host import Telemetry
from shared.kit.telemetry.noop import NoTelemetry

SOON = 1
"""Seconds until a queue of requests is another one."""
LATER = 5
"""Seconds that an outbox takes to become shorter, at the least."""
_SPREAD = 3


class Overloaded(Transient):
    """Nothing was done: the service has more to do than it can; `reason` names the limit."""

    key = "overloaded"


def overloaded(reason: str) -> Overloaded:
    """Refuse, with a time to come back that fits the reason."""
    return Overloaded(reason=reason, retry_after=back_in(LATER if "outbox" in reason else SOON))


def back_in(seconds: int) -> int:
    """Draw a time to come back, up to three times as long: who leaves together returns apart."""
    return random.randint(seconds, _SPREAD * seconds)  # noqa: S311  a spread, not a secret


@dataclass(frozen=True)
class Limits:
    """What one service of one process takes on; `shared.kit.runtime.settings` explains each."""

    outbox_age: float = 30.0
    outbox_events: int = 10_000
    wait: float = 1.0
    connections: int = 20
    writes: int = 10
    waiting: int = 200
    requests: int = 500


@dataclass
class Pressure:
    """The two numbers: how old the outbox is (told by `Backlog`), and whether connections lack."""

    pool: str = ""
    limits: Limits = field(default_factory=Limits)
    telemetry: Telemetry = field(default_factory=NoTelemetry)
    monotonic: Callable[[], float] = time.monotonic
    outbox_age: float = 0.0
    outbox_events: int = 0
    _starved: float = float("-inf")

    def waited(self, seconds: float) -> None:
        """Note how long somebody waited for a connection and got it."""
        name = "db.client.connection.wait_time"
        self.telemetry.observe(name, seconds, db__client__connection__pool__name=self.pool)
        if seconds > self.limits.wait:
            self._starved = self.monotonic()

    def gave_up(self) -> Overloaded:
        """Note that somebody got none in time."""
        name = "db.client.connection.timeouts"
        self.telemetry.count(name, db__client__connection__pool__name=self.pool)
        self._starved = self.monotonic()
        return overloaded("connection_wait")

    def refuses(self) -> str | None:
        """Say why no more work may come in now; None when it may."""
        old = self.outbox_age > self.limits.outbox_age
        if old and self.outbox_events > self.limits.outbox_events:
            return "outbox_age"
        if self.monotonic() - self._starved < self.limits.wait:
            return "connection_wait"
        return None
