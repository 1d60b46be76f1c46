"""What only the memory body has: patience, and records with holes."""

from collections.abc import Sequence

import pytest

from shared.kit.bus.memory.bus import MemoryBus
from shared.kit.core.bus import Incoming, Partition, Redeliver, Topic
from tests.support.consumers import Recorder, some, until

pytestmark = pytest.mark.asyncio


@pytest.fixture
async def memory() -> MemoryBus:
    bus = MemoryBus(now=lambda: 12.5)
    await bus.ensure([Topic("t", 4), Topic("u", 4)])
    return bus


async def test_settle_waits_for_chains_of_reactions(memory: MemoryBus) -> None:
    async def pass_on(batch: Sequence[Incoming]) -> None:
        await memory.send(some("u", len(batch)))

    first, second = Recorder(step=pass_on), Recorder()
    await memory.read(second.reading("u", "second"))
    await memory.read(first.reading("t", "first"))
    await memory.send(some("t", 100))
    await memory.settle()
    assert len(second.done) == 100
    assert memory.lag() == {"first": 0, "second": 0}
    assert sum(memory.committed("second").values()) == 100
    await memory.close()


async def test_settle_cuts_pauses_short(memory: MemoryBus) -> None:
    tries = [0] * 5

    async def step(_batch: Sequence[Incoming]) -> None:
        if tries:
            tries.pop()
            raise Redeliver(3600, "in an hour")

    reader = Recorder(step=step)
    await memory.read(reader.reading("t", "group"))
    await memory.send(some("t", 10))
    await memory.settle()
    assert reader.numbers == list(range(10))
    await memory.close()


async def test_settle_names_who_lags(memory: MemoryBus) -> None:
    async def step(_batch: Sequence[Incoming]) -> None:
        raise Redeliver(0, "never")

    await memory.read(Recorder(step=step).reading("t", "group"))
    await memory.send(some("t", 10))
    with pytest.raises(TimeoutError, match="'group': 10"):
        await memory.settle(0.05)
    await memory.close()


async def test_records_of_foreign_producers_may_have_holes(memory: MemoryBus) -> None:
    reader = Recorder()
    await memory.read(reader.reading("t", "group"))
    memory.put(Partition("t", 0), None, None, headers=[("traceparent", None)])
    await until(lambda: reader.done)
    assert reader.done == [
        Incoming(Partition("t", 0), 0, None, None, (("traceparent", None),), 12_500)
    ]
    await memory.close()
