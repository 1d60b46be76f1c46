"""Sliding windows in this process, bounded in memory."""

from collections import OrderedDict
from collections.abc import Sequence

from shared.kit.core.sliding_windows import Observation, WindowCounts

MAX_KEYS = 50_000
"""The least recently observed key is dropped for a new one."""
MAX_ITEMS = 5_000
"""Items of one key; the oldest item is dropped for a new one."""


class MemoryWindows:
    """See `core.sliding_windows.SlidingWindows`. No method awaits, so each call is atomic."""

    def __init__(self, *, max_keys: int = MAX_KEYS, max_items: int = MAX_ITEMS) -> None:
        self._max_keys, self._max_items = max_keys, max_items
        self._times_by_key: OrderedDict[str, dict[str, float]] = OrderedDict()

    async def count(self, observations: Sequence[Observation]) -> WindowCounts:
        """See `core.sliding_windows.SlidingWindows`."""
        return WindowCounts([self._count(observation) for observation in observations])

    def _count(self, observation: Observation) -> tuple[int, ...]:
        times = self._times_by_key.get(observation.key)
        if times is None:
            times = {}
        if observation.is_counted:
            self._add(times, observation)
        at = observation.at
        return tuple(
            sum(1 for time in times.values() if abs(time - at) < window)
            for window in observation.windows
        )

    def _add(self, times: dict[str, float], observation: Observation) -> None:
        """Add an item at its latest time; drop items that have left the widest window."""
        previous = times.pop(observation.item, observation.at)
        times[observation.item] = max(previous, observation.at)
        widest_start = observation.at - max(observation.windows, default=0)
        for item in [item for item, time in times.items() if time <= widest_start]:
            del times[item]
        while len(times) > self._max_items:
            del times[next(iter(times))]
        self._times_by_key[observation.key] = times
        self._times_by_key.move_to_end(observation.key)
        while len(self._times_by_key) > self._max_keys:
            self._times_by_key.popitem(last=False)
