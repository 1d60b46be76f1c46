"""The rate limiter in this process: exact sliding windows, bounded in memory."""

import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Sequence

from shared.kit.core.rate_limits import ALLOWED, Charge, RateLimit, RateLimitDecision

MAX_KEYS = 20_000
"""Keys that one limit keeps; the least recently charged key is dropped for a new one."""
_Window = dict[str, float]
"""The time of each ticket, oldest first."""


class MemoryLimiter:
    """See `core.rate_limits.RateLimiter`. `monotonic` returns seconds.

    No method awaits, so each call is atomic.
    """

    def __init__(
        self, *, monotonic: Callable[[], float] = time.monotonic, max_keys: int = MAX_KEYS
    ) -> None:
        self._monotonic, self._max_keys = monotonic, max_keys
        self._windows: dict[RateLimit, OrderedDict[str, _Window]] = defaultdict(OrderedDict)

    async def take(self, ticket: str, charges: Sequence[Charge]) -> RateLimitDecision:
        """See `core.rate_limits.RateLimiter`."""
        now = self._monotonic()
        windows = [self._current_window(charge, now) for charge in charges]
        decision = ALLOWED
        for charge, window in zip(charges, windows, strict=True):
            if len(window) >= charge.limit.max_charges:
                wait_seconds = self._wait_seconds(charge.limit, window, now)
                if decision.allowed or wait_seconds > decision.wait_seconds:
                    decision = RateLimitDecision(charge.limit, wait_seconds)
        if decision.allowed:
            for charge, window in zip(charges, windows, strict=True):
                window[ticket] = now
                self._store(charge, window)
        return decision

    async def refund(self, ticket: str, charges: Sequence[Charge]) -> None:
        """See `core.rate_limits.RateLimiter`."""
        for charge in charges:
            window = self._windows[charge.limit].get(charge.key)
            if window is not None:
                window.pop(ticket, None)

    async def reset(self, charges: Sequence[Charge]) -> None:
        """See `core.rate_limits.RateLimiter`."""
        for charge in charges:
            self._windows[charge.limit].pop(charge.key, None)

    def _current_window(self, charge: Charge, now: float) -> _Window:
        """Return a charge's window after dropping its expired tickets."""
        window = self._windows[charge.limit].get(charge.key)
        if window is None:
            return {}
        window_start = now - charge.limit.window_seconds
        while window:
            oldest = next(iter(window))
            if window[oldest] > window_start:
                break
            del window[oldest]
        return window

    def _store(self, charge: Charge, window: _Window) -> None:
        windows = self._windows[charge.limit]
        windows[charge.key] = window
        windows.move_to_end(charge.key)
        while len(windows) > self._max_keys:
            windows.popitem(last=False)

    @staticmethod
    def _wait_seconds(limit: RateLimit, window: _Window, now: float) -> float:
        if not window:  # `max_charges` is 0
            return limit.window_seconds
        # A full window has room once its oldest ticket expires.
        return window[next(iter(window))] + limit.window_seconds - now
