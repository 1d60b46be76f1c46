"""A circuit breaker: after failures in a row nothing is tried for a while, then one call is."""

import time
from collections.abc import Callable

MAX_FAILURES = 3
PAUSE_SECONDS = 5.0


class CircuitBreaker:
    """Says whether a call may be tried. `monotonic` gives seconds."""

    def __init__(
        self,
        *,
        max_failures: int = MAX_FAILURES,
        pause: float = PAUSE_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_failures, self._pause, self._monotonic = max_failures, pause, monotonic
        self._failures = 0
        self._closed_until = float("-inf")

    @property
    def is_open(self) -> bool:
        """True from the last failure that was one too many until a call succeeds."""
        return self._failures >= self._max_failures

    def allows_call(self) -> bool:
        """Allow a call; while open, allow one at the end of each pause."""
        if not self.is_open:
            return True
        now = self._monotonic()
        if now < self._closed_until:
            return False
        self._closed_until = now + self._pause
        return True

    def record_success(self) -> None:
        """Close: all calls are tried again."""
        self._failures = 0

    def record_failure(self) -> None:
        """Count a failure; open after `max_failures` in a row."""
        self._failures += 1
        if self.is_open:
            self._closed_until = self._monotonic() + self._pause
