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

QUEUE_RETRY_SECONDS = 1
"""Seconds until a queue of requests is another one."""
OUTBOX_RETRY_SECONDS = 5
"""Seconds that an outbox takes to become shorter, at the least."""
_SPREAD = 3


class Overloaded(Transient):
    """Nothing was done: the service has more to do than it can; `reason` names the limit."""

    key = "overloaded"


def overload_error(reason: str) -> Overloaded:
    """Refuse, with a time to come back that fits the reason."""
    return Overloaded(
        reason=reason,
        retry_after=retry_after_with_jitter(
            OUTBOX_RETRY_SECONDS if "outbox" in reason else QUEUE_RETRY_SECONDS
        ),
    )


def retry_after_with_jitter(seconds: int) -> int:
    """Draw a time to come back, up to three times as long: who leaves together returns apart."""
    return random.randint(seconds, _SPREAD * seconds)  # noqa: S311  a spread, not a secret


@dataclass(frozen=True)
class LoadLimits:
    """What one service of one process takes on; `shared.kit.runtime.settings` explains each."""

    max_outbox_age_seconds: float = 30.0
    max_outbox_events: int = 10_000
    max_wait_seconds: float = 1.0
    pool_size: int = 20
    max_concurrent_writes: int = 10
    max_queue: int = 200
    max_concurrent_requests: int = 500


@dataclass
class LoadMonitor:
    """The two numbers: how old the outbox is (told by `Backlog`), and whether connections lack."""

    pool_name: str = ""
    limits: LoadLimits = field(default_factory=LoadLimits)
    telemetry: Telemetry = field(default_factory=NoTelemetry)
    monotonic: Callable[[], float] = time.monotonic
    outbox_age_seconds: float = 0.0
    outbox_events: int = 0
    _starved: float = float("-inf")

    def record_pool_wait(self, seconds: float) -> None:
        """Note how long somebody waited for a connection and got it."""
        name = "db.client.connection.wait_time"
        self.telemetry.observe(name, seconds, db__client__connection__pool__name=self.pool_name)
        if seconds > self.limits.max_wait_seconds:
            self._starved = self.monotonic()

    def record_pool_timeout(self) -> Overloaded:
        """Note that somebody got none in time."""
        name = "db.client.connection.timeouts"
        self.telemetry.count(name, db__client__connection__pool__name=self.pool_name)
        self._starved = self.monotonic()
        return overload_error("connection_wait")

    def rejection_reason(self) -> str | None:
        """Return why no more work may come in now; None when it may."""
        old = self.outbox_age_seconds > self.limits.max_outbox_age_seconds
        if old and self.outbox_events > self.limits.max_outbox_events:
            return "outbox_age"
        if self.monotonic() - self._starved < self.limits.max_wait_seconds:
            return "connection_wait"
        return None
