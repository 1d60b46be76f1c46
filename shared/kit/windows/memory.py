"""Windows in this process, bounded in memory."""

from collections import OrderedDict
from collections.abc import Sequence

from shared.kit.core.sliding_windows import Observation, WindowCounts

MAX_KEYS = 50_000
"""Keys that are remembered; the one that was observed longest ago is dropped for a new one."""
MAX_ITEMS = 5_000
"""Items of one key; the oldest one is dropped for a new one."""


class MemoryWindows:
    """See `port.SlidingWindows`. Never awaits: a call is one step."""

    def __init__(self, *, max_keys: int = MAX_KEYS, max_items: int = MAX_ITEMS) -> None:
        self._max_keys, self._max_items = max_keys, max_items
        self._moments: OrderedDict[str, dict[str, float]] = OrderedDict()

    async def count(self, observations: Sequence[Observation]) -> WindowCounts:
        """See `port.SlidingWindows`."""
        return WindowCounts([self._count(observation) for observation in observations])

    def _count(self, observation: Observation) -> tuple[int, ...]:
        moments = self._moments.get(observation.key)
        if moments is None:
            moments = {}
        if observation.is_counted:
            self._add(moments, observation)
        at = observation.at
        return tuple(
            sum(1 for moment in moments.values() if abs(moment - at) < window)
            for window in observation.windows
        )

    def _add(self, moments: dict[str, float], observation: Observation) -> None:
        earlier = moments.pop(observation.item, observation.at)
        moments[observation.item] = max(earlier, observation.at)
        begin = observation.at - max(observation.windows, default=0)
        for item in [item for item, moment in moments.items() if moment <= begin]:
            del moments[item]
        while len(moments) > self._max_items:
            del moments[next(iter(moments))]
        self._moments[observation.key] = moments
        self._moments.move_to_end(observation.key)
        while len(self._moments) > self._max_keys:
            self._moments.popitem(last=False)
