"""The log as a replay reads it."""

import pytest

from shared.kit.bus.memory.bus import MemoryBus
from shared.kit.core.bus import IncomingRecord, Partition, Topic
from shared.kit.tools.replay import feed
from shared.kit.tools.replay.feed import ReadOrder, read_batches

A, B = Partition("a", 0), Partition("b", 0)


async def read(
    times: dict[Partition, list[int]], order: ReadOrder, begin: int = 0
) -> list[tuple[str, int]]:
    """Return topic and offset of all that is read from logs with these times."""
    bus = MemoryBus(now=lambda: 0)
    await bus.ensure_topics([Topic("a", 1), Topic("b", 1)])
    for place, stamps in times.items():
        for stamp in stamps:
            bus._now = (stamp / 1000).conjugate
            bus.append(place, b"k", b"v")
    spans = {place: (begin, len(stamps)) for place, stamps in times.items()}
    found: list[IncomingRecord] = [
        r async for batch in read_batches(bus, spans, order) for r in batch
    ]
    return [(record.partition.topic, record.offset) for record in found]


async def test_by_time_is_how_it_was_sent() -> None:
    found = await read({A: [1, 4, 5], B: [2, 3, 6]}, ReadOrder.TIME)
    assert found == [("a", 0), ("b", 0), ("b", 1), ("a", 1), ("a", 2), ("b", 2)]


async def test_a_clock_that_went_back_changes_no_order_within_a_partition() -> None:
    found = await read({A: [5, 1, 6], B: [2, 5, 7]}, ReadOrder.TIME)
    assert [offset for topic, offset in found if topic == "a"] == [0, 1, 2]
    assert found.index(("b", 0)) < found.index(("a", 1))


@pytest.mark.parametrize(("order", "first"), [(ReadOrder.TOPICS, "a"), (ReadOrder.REVERSED, "b")])
async def test_topic_after_topic(order: ReadOrder, first: str) -> None:
    found = await read({A: [1, 4], B: [2, 3]}, order)
    assert [topic for topic, _ in found] == sorted("aabb", reverse=first == "b")
    assert [offset for _, offset in found] == [0, 1, 0, 1]


async def test_chunks_and_batches_lose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "CHUNK", 3)
    monkeypatch.setattr(feed, "BATCH", 4)
    for order in ReadOrder:
        found = await read({A: list(range(17)), B: list(range(5, 29))}, order, begin=2)
        assert len(found) == len(set(found)) == 17 + 24 - 4
