from collections.abc import Sequence

import pytest

from shared.kit.core.pagination import CHUNK_ROWS, read_visible_page


async def _read_all_pages(size: int, every: int, limit: int) -> tuple[list[list[int]], int]:
    """Walk the numbers below `size`; only each `every`-th may be seen."""
    reads = 0

    async def fetch_chunk(after: int | None, chunk: int) -> Sequence[int]:
        nonlocal reads
        reads += 1
        begin = 0 if after is None else after + 1
        return range(begin, min(size, begin + chunk))

    async def filter_visible(rows: Sequence[int]) -> Sequence[int]:
        return [row for row in rows if row % every == 0]

    pages: list[list[int]] = []
    after: int | None = None
    while True:
        page_rows, after = await read_visible_page(
            fetch_chunk, filter_visible, lambda row: row, after, limit
        )
        pages.append(page_rows)
        if after is None:
            return pages, reads


@pytest.mark.parametrize(
    "size", [0, 1, 2, 3, CHUNK_ROWS - 1, CHUNK_ROWS, CHUNK_ROWS + 1, 3 * CHUNK_ROWS]
)
@pytest.mark.parametrize("every", [1, 2, CHUNK_ROWS + 1, 10 * CHUNK_ROWS])
@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_all_pages_but_the_last_are_full(size: int, every: int, limit: int) -> None:
    pages, _ = await _read_all_pages(size, every, limit)
    assert [row for page in pages for row in page] == list(range(0, size, every))
    assert all(len(page) == limit for page in pages[:-1])
    assert pages[-1] or len(pages) == 1, "no page is promised in vain"


async def test_one_page_reads_only_the_chunks_it_needs() -> None:
    _, reads = await _read_all_pages(CHUNK_ROWS - 1, 1, CHUNK_ROWS)
    assert reads == 1
