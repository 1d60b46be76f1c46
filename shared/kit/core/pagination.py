"""Pages of what someone may see: full ones, however much lies between that they may not."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
P = TypeVar("P")
CHUNK_ROWS = 200
"""Rows that are read at once."""


async def read_visible_page(
    fetch_chunk: Callable[[P | None, int], Awaitable[Sequence[T]]],
    filter_visible: Callable[[Sequence[T]], Awaitable[Sequence[T]]],
    cursor_of: Callable[[T], P],
    after: P | None,
    limit: int,
) -> tuple[list[T], P | None]:
    """Read on from after a place until `limit` rows are kept; give them and where to go on.

    `keep` leaves out of a chunk what may not be seen. None: there is no more that may be.
    """
    found: list[T] = []
    while True:
        rows = await fetch_chunk(after, CHUNK_ROWS)
        found += await filter_visible(rows)
        if len(found) > limit:
            return found[:limit], cursor_of(found[limit - 1])
        if len(rows) < CHUNK_ROWS:
            return found, None
        after = cursor_of(rows[-1])
