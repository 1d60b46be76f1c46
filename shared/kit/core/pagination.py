"""Pages of what someone may see: full ones, however much lies between that they may not."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
P = TypeVar("P")
CHUNK = 200
"""Rows that are read at once."""


async def page_of(
    read: Callable[[P | None, int], Awaitable[Sequence[T]]],
    keep: Callable[[Sequence[T]], Awaitable[Sequence[T]]],
    place: Callable[[T], P],
    after: P | None,
    limit: int,
) -> tuple[list[T], P | None]:
    """Read on from after a place until `limit` rows are kept; give them and where to go on.

    `keep` leaves out of a chunk what may not be seen. None: there is no more that may be.
    """
    found: list[T] = []
    while True:
        rows = await read(after, CHUNK)
        found += await keep(rows)
        if len(found) > limit:
            return found[:limit], place(found[limit - 1])
        if len(rows) < CHUNK:
            return found, None
        after = place(rows[-1])
