"""Methods of the memory bus only: waiting until idle, and records with None values."""

from collections.abc import Sequence

import pytest

from shared.kit.bus.memory.bus import MemoryBus
from shared.kit.core.bus import IncomingRecord, Partition, Redeliver, Topic
from tests.support.consumers import RecordingConsumer, make_records, wait_until

pytestmark = pytest.mark.asyncio


@pytest.fixture
async def memory() -> MemoryBus:
    bus = MemoryBus(now=lambda: 12.5)
    await bus.ensure_topics([Topic("t", 4), Topic("u", 4)])
    return bus


async def test_wait_until_idle_waits_for_chains_of_reactions(memory: MemoryBus) -> None:
    async def pass_on(batch: Sequence[IncomingRecord]) -> None:
        await memory.send(make_records("u", len(batch)))

    first, second = RecordingConsumer(step=pass_on), RecordingConsumer()
    await memory.subscribe(second.config_for("u", "second"))
    await memory.subscribe(first.config_for("t", "first"))
    await memory.send(make_records("t", 100))
    await memory.wait_until_idle()
    assert len(second.handled) == 100
    assert memory.lag() == {"first": 0, "second": 0}
    assert sum(memory.committed_offsets("second").values()) == 100
    await memory.close()


async def test_wait_until_idle_cancels_pauses(memory: MemoryBus) -> None:
    tries = [0] * 5

    async def step(_batch: Sequence[IncomingRecord]) -> None:
        if tries:
            tries.pop()
            raise Redeliver(3600, "in an hour")

    consumer = RecordingConsumer(step=step)
    await memory.subscribe(consumer.config_for("t", "group"))
    await memory.send(make_records("t", 10))
    await memory.wait_until_idle()
    assert consumer.numbers == list(range(10))
    await memory.close()


async def test_wait_until_idle_names_the_lagging_group(memory: MemoryBus) -> None:
    async def step(_batch: Sequence[IncomingRecord]) -> None:
        raise Redeliver(0, "never")

    await memory.subscribe(RecordingConsumer(step=step).config_for("t", "group"))
    await memory.send(make_records("t", 10))
    with pytest.raises(TimeoutError, match="'group': 10"):
        await memory.wait_until_idle(0.05)
    await memory.close()


async def test_records_of_foreign_producers_may_contain_none(memory: MemoryBus) -> None:
    consumer = RecordingConsumer()
    await memory.subscribe(consumer.config_for("t", "group"))
    memory.append(Partition("t", 0), None, None, headers=[("traceparent", None)])
    await wait_until(lambda: consumer.handled)
    assert consumer.handled == [
        IncomingRecord(Partition("t", 0), 0, None, None, (("traceparent", None),), 12_500)
    ]
    await memory.close()
