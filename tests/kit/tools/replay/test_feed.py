"""Reading the log for a replay, in every order."""

import pytest

from shared.kit.bus.memory.bus import MemoryBus
from shared.kit.core.bus import IncomingRecord, Partition, Topic
from shared.kit.tools.replay import feed
from shared.kit.tools.replay.feed import ReadOrder, read_batches

PARTITION_A, PARTITION_B = Partition("a", 0), Partition("b", 0)


async def read_all(
    times: dict[Partition, list[int]], order: ReadOrder, begin: int = 0
) -> list[tuple[str, int]]:
    """Return topic and offset of all records read from logs with these timestamps."""
    bus = MemoryBus(now=lambda: 0)
    await bus.ensure_topics([Topic("a", 1), Topic("b", 1)])
    for partition, stamps in times.items():
        for stamp in stamps:
            bus._now = (stamp / 1000).conjugate
            bus.append(partition, b"k", b"v")
    ranges = {partition: (begin, len(stamps)) for partition, stamps in times.items()}
    records: list[IncomingRecord] = [
        record async for batch in read_batches(bus, ranges, order) for record in batch
    ]
    return [(record.partition.topic, record.offset) for record in records]


async def test_order_by_time_merges_partitions() -> None:
    positions = await read_all({PARTITION_A: [1, 4, 5], PARTITION_B: [2, 3, 6]}, ReadOrder.TIME)
    assert positions == [("a", 0), ("b", 0), ("b", 1), ("a", 1), ("a", 2), ("b", 2)]


async def test_clock_that_goes_back_keeps_partition_order() -> None:
    positions = await read_all({PARTITION_A: [5, 1, 6], PARTITION_B: [2, 5, 7]}, ReadOrder.TIME)
    assert [offset for topic, offset in positions if topic == "a"] == [0, 1, 2]
    assert positions.index(("b", 0)) < positions.index(("a", 1))


@pytest.mark.parametrize(("order", "first"), [(ReadOrder.TOPICS, "a"), (ReadOrder.REVERSED, "b")])
async def test_topics_are_read_one_after_the_other(order: ReadOrder, first: str) -> None:
    positions = await read_all({PARTITION_A: [1, 4], PARTITION_B: [2, 3]}, order)
    assert [topic for topic, _ in positions] == sorted("aabb", reverse=first == "b")
    assert [offset for _, offset in positions] == [0, 1, 0, 1]


async def test_small_chunks_and_batches_lose_no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "MAX_CHUNK_RECORDS", 3)
    monkeypatch.setattr(feed, "MAX_BATCH_RECORDS", 4)
    for order in ReadOrder:
        positions = await read_all(
            {PARTITION_A: list(range(17)), PARTITION_B: list(range(5, 29))}, order, begin=2
        )
        assert len(positions) == len(set(positions)) == 17 + 24 - 4
