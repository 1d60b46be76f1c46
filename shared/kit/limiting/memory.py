"""The limiter in this process: exact sliding windows, bounded in memory."""

import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Sequence

from shared.kit.core.rate_limits import ALLOWED, Charge, Decision, Limit

MAX_KEYS = 20_000
"""Keys that one limit remembers; the one that was charged longest ago is dropped for a new one."""
_Window = dict[str, float]
"""The moment of each ticket, oldest first."""


class MemoryLimiter:
    """See `port.Limiter`. `monotonic` gives seconds. Never awaits: a call is one step."""

    def __init__(
        self, *, monotonic: Callable[[], float] = time.monotonic, max_keys: int = MAX_KEYS
    ) -> None:
        self._monotonic, self._max_keys = monotonic, max_keys
        self._windows: dict[Limit, OrderedDict[str, _Window]] = defaultdict(OrderedDict)

    async def take(self, ticket: str, charges: Sequence[Charge]) -> Decision:
        """See `port.Limiter`."""
        now = self._monotonic()
        windows = [self._current(charge, now) for charge in charges]
        refusal = ALLOWED
        for charge, window in zip(charges, windows, strict=True):
            if len(window) >= charge.limit.most:
                wait = self._wait(charge.limit, window, now)
                if refusal.allowed or wait > refusal.wait:
                    refusal = Decision(charge.limit, wait)
        if refusal.allowed:
            for charge, window in zip(charges, windows, strict=True):
                window[ticket] = now
                self._keep(charge, window)
        return refusal

    async def give_back(self, ticket: str, charges: Sequence[Charge]) -> None:
        """See `port.Limiter`."""
        for charge in charges:
            window = self._windows[charge.limit].get(charge.key)
            if window is not None:
                window.pop(ticket, None)

    async def forget(self, charges: Sequence[Charge]) -> None:
        """See `port.Limiter`."""
        for charge in charges:
            self._windows[charge.limit].pop(charge.key, None)

    def _current(self, charge: Charge, now: float) -> _Window:
        """Give the window of a charge without what is too old to count."""
        window = self._windows[charge.limit].get(charge.key)
        if window is None:
            return {}
        begin = now - charge.limit.seconds
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
    def _wait(limit: Limit, window: _Window, now: float) -> float:
        if not window:  # a limit of none
            return limit.seconds
        # With `most` in the window its oldest must leave before there is room for one more.
        return window[next(iter(window))] + limit.seconds - now
