"""Load shedding: how loaded a service is, and the limits above which it rejects requests.

The rule (docs/adr/0044): work that can wait is rejected with 503 and a `Retry-After` when events
leave the outbox more slowly than they arrive, or when no connection is free in time.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from shared.kit.core.errors import Transient
from shared.kit.core.host import Telemetry
from shared.kit.telemetry.noop import NoTelemetry

QUEUE_RETRY_SECONDS = 1
"""Retry delay after a full queue: its requests are served or rejected within a second."""
OUTBOX_RETRY_SECONDS = 5
"""Retry delay when the outbox is too old: it takes at least this long to shrink."""
_JITTER_FACTOR = 3


class Overloaded(Transient):
    """The service rejected a request before any work was done; `reason` names the limit."""

    key = "overloaded"


def overload_error(reason: str) -> Overloaded:
    """Return the error of a rejected request, with a `Retry-After` that fits the limit."""
    seconds = OUTBOX_RETRY_SECONDS if "outbox" in reason else QUEUE_RETRY_SECONDS
    return Overloaded(reason=reason, retry_after=retry_after_with_jitter(seconds))


def retry_after_with_jitter(seconds: int) -> int:
    """Return a `Retry-After` in seconds with random jitter (1–3 × `seconds`).

    The jitter keeps rejected clients from retrying at the same moment.
    """
    return random.randint(seconds, _JITTER_FACTOR * seconds)  # noqa: S311  not a secret


@dataclass(frozen=True)
class LoadLimits:
    """The limits of one service in one process; `shared.kit.runtime.settings` explains each."""

    max_outbox_age_seconds: float = 30.0
    max_outbox_events: int = 10_000
    max_wait_seconds: float = 1.0
    pool_size: int = 20
    max_concurrent_writes: int = 10
    max_queue: int = 200
    max_concurrent_requests: int = 500


@dataclass
class LoadMonitor:
    """The load of one service: the outbox (updated by `OutboxMonitor`) and the connection pool."""

    pool_name: str = ""
    limits: LoadLimits = field(default_factory=LoadLimits)
    telemetry: Telemetry = field(default_factory=NoTelemetry)
    monotonic: Callable[[], float] = time.monotonic
    outbox_age_seconds: float = 0.0
    outbox_events: int = 0
    _pool_exhausted_at: float = float("-inf")

    def record_pool_wait(self, seconds: float) -> None:
        """Record how long a request waited for the connection that it got."""
        name = "db.client.connection.wait_time"
        self.telemetry.observe(name, seconds, db__client__connection__pool__name=self.pool_name)
        if seconds > self.limits.max_wait_seconds:
            self._pool_exhausted_at = self.monotonic()

    def record_pool_timeout(self) -> Overloaded:
        """Record a request without a connection in time; return the error to raise."""
        name = "db.client.connection.timeouts"
        self.telemetry.count(name, db__client__connection__pool__name=self.pool_name)
        self._pool_exhausted_at = self.monotonic()
        return overload_error("connection_wait")

    def rejection_reason(self) -> str | None:
        """Return the limit that new work exceeds now; None when work is accepted."""
        is_old = self.outbox_age_seconds > self.limits.max_outbox_age_seconds
        if is_old and self.outbox_events > self.limits.max_outbox_events:
            return "outbox_age"
        if self.monotonic() - self._pool_exhausted_at < self.limits.max_wait_seconds:
            return "connection_wait"
        return None
