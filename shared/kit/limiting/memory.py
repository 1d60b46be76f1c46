"""The limiter in this process: exact sliding windows, bounded in memory."""

import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Sequence

from shared.kit.core.rate_limits import ALLOWED, Charge, RateLimit, RateLimitDecision

MAX_KEYS = 20_000
"""Keys that one limit remembers; the one that was charged longest ago is dropped for a new one."""
_Window = dict[str, float]
"""The moment of each ticket, oldest first."""


class MemoryLimiter:
    """See `port.RateLimiter`. `monotonic` gives seconds. Never awaits: a call is one step."""

    def __init__(
        self, *, monotonic: Callable[[], float] = time.monotonic, max_keys: int = MAX_KEYS
    ) -> None:
        self._monotonic, self._max_keys = monotonic, max_keys
        self._windows: dict[RateLimit, OrderedDict[str, _Window]] = defaultdict(OrderedDict)

    async def take(self, ticket: str, charges: Sequence[Charge]) -> RateLimitDecision:
        """See `port.RateLimiter`."""
        now = self._monotonic()
        windows = [self._current(charge, now) for charge in charges]
        refusal = ALLOWED
        for charge, window in zip(charges, windows, strict=True):
            if len(window) >= charge.limit.max_charges:
                wait = self._wait(charge.limit, window, now)
                if refusal.allowed or wait > refusal.wait_seconds:
                    refusal = RateLimitDecision(charge.limit, wait)
        if refusal.allowed:
            for charge, window in zip(charges, windows, strict=True):
                window[ticket] = now
                self._keep(charge, window)
        return refusal

    async def refund(self, ticket: str, charges: Sequence[Charge]) -> None:
        """See `port.RateLimiter`."""
        for charge in charges:
            window = self._windows[charge.limit].get(charge.key)
            if window is not None:
                window.pop(ticket, None)

    async def reset(self, charges: Sequence[Charge]) -> None:
        """See `port.RateLimiter`."""
        for charge in charges:
            self._windows[charge.limit].pop(charge.key, None)

    def _current(self, charge: Charge, now: float) -> _Window:
        """Return the window of a charge without what is too old to count."""
        window = self._windows[charge.limit].get(charge.key)
        if window is None:
            return {}
        begin = now - charge.limit.window_seconds
        while window:
            oldest = next(iter(window))
            if window[oldest] > begin:
                break
            del window[oldest]
        return window

    def _keep(self, charge: Charge, window: _Window) -> None:
        windows = self._windows[charge.limit]
        windows[charge.key] = window
        windows.move_to_end(charge.key)
        while len(windows) > self._max_keys:
            windows.popitem(last=False)

    @staticmethod
    def _wait(limit: RateLimit, window: _Window, now: float) -> float:
        if not window:  # a limit of none
            return limit.window_seconds
        # With `most` in the window its oldest must leave before there is room for one more.
        return window[next(iter(window))] + limit.window_seconds - now
