"""Full pages of the rows that a caller may see, however many hidden rows lie between them."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
P = TypeVar("P")
CHUNK_ROWS = 200
"""Rows that are read with one query."""


async def read_visible_page(
    fetch_chunk: Callable[[P | None, int], Awaitable[Sequence[T]]],
    filter_visible: Callable[[Sequence[T]], Awaitable[Sequence[T]]],
    cursor_of: Callable[[T], P],
    after: P | None,
    limit: int,
) -> tuple[list[T], P | None]:
    """Read chunks after a cursor until `limit` visible rows are collected.

    Returns the rows and the cursor of the next page, None when there is no further visible row.
    """
    visible: list[T] = []
    while True:
        rows = await fetch_chunk(after, CHUNK_ROWS)
        visible += await filter_visible(rows)
        if len(visible) > limit:
            return visible[:limit], cursor_of(visible[limit - 1])
        if len(rows) < CHUNK_ROWS:
            return visible, None
        after = cursor_of(rows[-1])
