"""Circuit breaker: after consecutive failures, calls are refused except one per pause."""

import time
from collections.abc import Callable

MAX_FAILURES = 3
PAUSE_SECONDS = 5.0


class CircuitBreaker:
    """Decides whether a call may be made. `monotonic` returns seconds."""

    def __init__(
        self,
        *,
        max_failures: int = MAX_FAILURES,
        pause: float = PAUSE_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_failures, self._pause_seconds = max_failures, pause
        self._monotonic = monotonic
        self._failures = 0
        self._next_trial_at = float("-inf")

    @property
    def is_open(self) -> bool:
        """Whether `max_failures` calls in a row have failed and none has succeeded since."""
        return self._failures >= self._max_failures

    def allows_call(self) -> bool:
        """Return whether to call: always while closed, once at the end of each pause while open."""
        if not self.is_open:
            return True
        now = self._monotonic()
        if now < self._next_trial_at:
            return False
        self._next_trial_at = now + self._pause_seconds
        return True

    def record_success(self) -> None:
        """Close the circuit."""
        self._failures = 0

    def record_failure(self) -> None:
        """Count a failure; open the circuit after `max_failures` in a row."""
        self._failures += 1
        if self.is_open:
            self._next_trial_at = self._monotonic() + self._pause_seconds
