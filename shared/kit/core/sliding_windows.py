"""What counting promises. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Observation:
    """An item that happened, or is only asked about, under a key.

    `key` says what is counted ("the texts of this author"), `item` is counted once per key however
    often it is observed, `at` is when it happened, in seconds since 1970. `windows` are the spans
    to count over, in seconds. Without `adds` the key is only counted.
    """

    key: str
    item: str
    at: float
    windows: tuple[int, ...]
    is_counted: bool = True


@dataclass(frozen=True, slots=True)
class WindowCounts:
    """For each observation, a count for each of its windows, in their orders.

    `degraded`: Redis is away, so that only what this process saw was counted.
    """

    values: Sequence[tuple[int, ...]]
    degraded: bool = False


class SlidingWindows(Protocol):
    """Counts distinct items per key over sliding windows around the moment of an observation."""

    async def count(self, observations: Sequence[Observation]) -> WindowCounts:
        """Add each observation that adds, then count it: the items of its key in (at - w, at + w).

        Where observations come in the order of their moments, nothing later is there to be
        counted. Out of order the later ones count too: else no item of a burst that arrives in
        another order would ever see all of it. Observing an item again moves it to the later
        moment and counts it once: a redelivery changes nothing. An observation counts the ones
        before it in the same call.
        """
