"""The port that counts distinct items in sliding windows. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Observation:
    """An item that is counted under a key, or with `is_counted=False` only looked up.

    `key` says what is counted ("the texts of this author"). `item` counts once per key, however
    often it is observed. `at` is the time of the event, in seconds since 1970. `windows` are the
    durations to count over, in seconds.
    """

    key: str
    item: str
    at: float
    windows: tuple[int, ...]
    is_counted: bool = True


@dataclass(frozen=True, slots=True)
class WindowCounts:
    """For each observation, a count for each of its windows, in the same order.

    `degraded`: Redis is not available, so only the observations of this process were counted.
    """

    values: Sequence[tuple[int, ...]]
    degraded: bool = False


class SlidingWindows(Protocol):
    """Counts distinct items per key over sliding windows around the time of an observation."""

    async def count(self, observations: Sequence[Observation]) -> WindowCounts:
        """Store each counted observation, then count the items of its key in (at - w, at + w).

        When observations arrive in time order, there are no later items to count. When they arrive
        out of order, later items count as well; otherwise a burst that arrives in another order
        would never be counted completely. Observing an item again moves it to the later time and
        counts it once, so a redelivery changes nothing. An observation includes the observations
        before it in the same call.
        """
