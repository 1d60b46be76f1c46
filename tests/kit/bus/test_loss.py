"""Nothing is lost and nothing is done twice: failures and rebalances, asked of every body."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from shared.kit.core.bus import Bus, Incoming, Partition, Redeliver
from tests.support.consumers import Recorder, some, until

pytestmark = pytest.mark.asyncio


async def test_a_batch_whose_handler_raises_comes_again(bus: Bus, topic: str) -> None:
    failures: list[Exception] = [ValueError("a bug"), Redeliver(0.01, "later")]

    async def step(_batch: Sequence[Incoming]) -> None:
        if failures:
            raise failures.pop()

    reader = Recorder(step=step)
    await bus.read(reader.reading(topic, topic, batch=50))
    await bus.send(some(topic, 200))
    await until(lambda: len(reader.done) >= 200)
    assert reader.numbers == list(range(200))
    assert reader.in_order()


async def test_a_failed_batch_is_not_committed_by_the_next_success(bus: Bus, topic: str) -> None:
    """One partition fails for ever, the others succeed; the next reader gets all of the first."""

    async def step(batch: Sequence[Incoming]) -> None:
        if any(record.key == b"bad" for record in batch):
            raise Redeliver(0.01, "not now")

    first, second = Recorder(step=step), Recorder()
    subscription = await bus.read(first.reading(topic, topic, commit_every=0.01))
    await bus.send(some(topic, 3, key="bad"))
    await until(lambda: len(first.tried) >= 3)
    await bus.send(some(topic, 20, key="key-0", first=10))
    await until(lambda: len(first.done) >= 20)
    await subscription.stop()
    await bus.read(second.reading(topic, topic))
    await until(lambda: len(second.done) >= 3)
    assert [record.key for record in second.done] == [b"bad"] * 3


async def test_the_consumer_is_asked_again_until_it_says_where_to_start(
    bus: Bus, topic: str
) -> None:
    class Slow(Recorder):
        asked = 0

        async def assigned(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
            self.asked += 1
            if self.asked == 1:
                raise ConnectionError
            return await super().assigned(partitions)

    reader = Slow()
    await bus.send(some(topic, 20))
    await bus.read(reader.reading(topic, topic))
    await until(lambda: len(reader.done) == 20)
    assert reader.asked == 2


class Slow(Recorder):
    """Takes half a second to say where to start: time enough for a client to fetch."""

    async def assigned(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        await asyncio.sleep(0.5)
        return await super().assigned(partitions)


async def test_nothing_is_read_past_while_the_start_is_looked_up(bus: Bus, topic: str) -> None:
    """What a client has fetched meanwhile may be thrown away, but not skipped."""
    one, two = Slow(), Slow()
    await bus.send(some(topic, 100))
    await bus.read(one.reading(topic, topic, batch=10))
    await until(lambda: len(one.done) >= 50)
    await bus.read(two.reading(topic, topic, batch=10))
    await bus.send(some(topic, 100, first=100))
    await until(lambda: len(one.done) + len(two.done) >= 200)
    assert sorted(one.numbers + two.numbers) == list(range(200))


async def test_what_came_before_the_start_is_never_handed_over(bus: Bus, topic: str) -> None:
    await bus.send(some(topic, 100))
    ends = (await bus.progress([topic])).end
    reader = Slow(starts=ends)
    await bus.read(reader.reading(topic, topic, batch=10))
    await bus.send(some(topic, 100, first=100))
    await until(lambda: len(reader.done) >= 100)
    assert reader.numbers == list(range(100, 200))


async def test_a_rebalance_waits_for_the_batch_in_hand(bus: Bus, topic: str) -> None:
    """Two readers share; what the first had in hand is done once, by the first."""

    async def step(_batch: Sequence[Incoming]) -> None:
        await asyncio.sleep(0.05)

    one, two = Recorder(step=step), Recorder(step=step)
    await bus.send(some(topic, 400))
    await bus.read(one.reading(topic, topic, batch=20))
    await until(lambda: one.done)
    await bus.read(two.reading(topic, topic, batch=20))
    await until(lambda: len(one.done) + len(two.done) >= 400)
    assert sorted(one.numbers + two.numbers) == list(range(400))
    assert two.done
    assert [what for what, _ in one.story] == ["assigned", "revoked", "assigned"]
    assert len(one.holds) == len(two.holds) == 2
    assert not one.holds & two.holds


async def test_who_leaves_hands_over_to_who_stays(bus: Bus, topic: str) -> None:
    one, two = Recorder(), Recorder()
    leaving = await bus.read(one.reading(topic, topic))
    await bus.read(two.reading(topic, topic))
    await until(lambda: len(one.holds) == len(two.holds) == 2)
    await bus.send(some(topic, 100))
    await until(lambda: len(one.done) + len(two.done) == 100)
    await leaving.stop()
    await bus.send(some(topic, 100, first=100))
    await until(lambda: len(one.done) + len(two.done) >= 200)
    assert sorted(one.numbers + two.numbers) == list(range(200))
    assert len(two.holds) == 4


async def test_a_pause_is_remembered_across_a_rebalance(bus: Bus, topic: str) -> None:
    """Only who keeps the partition remembers; a new owner may try at once."""

    async def fail(_batch: Sequence[Incoming]) -> None:
        raise Redeliver(60, "not for a long time")

    one, two = Recorder(step=fail), Recorder(step=fail)
    await bus.send(some(topic, 40))
    await bus.read(one.reading(topic, topic))
    await until(lambda: {record.partition for batch in one.tried for record in batch} == one.holds)
    await bus.read(two.reading(topic, topic))
    await until(lambda: {record.partition for batch in two.tried for record in batch} == two.holds)
    await until(lambda: len(one.holds) == 2)
    tries = len(one.tried)
    await asyncio.sleep(0.1)
    assert len(one.tried) == tries


async def test_stop_finishes_the_batch_in_hand(bus: Bus, topic: str) -> None:
    async def step(_batch: Sequence[Incoming]) -> None:
        await asyncio.sleep(0.1)

    one, two = Recorder(step=step), Recorder()
    subscription = await bus.read(one.reading(topic, topic, batch=10))
    await bus.send(some(topic, 30, key="k"))
    await until(lambda: one.handling)
    await subscription.stop()
    assert one.done
    assert not one.holds
    await bus.read(two.reading(topic, topic))
    await until(lambda: len(one.done) + len(two.done) >= 30)
    assert sorted(one.numbers + two.numbers) == list(range(30))


async def test_a_batch_cancelled_by_stop_comes_again(bus: Bus, topic: str) -> None:
    rolled_back = []

    async def never(_batch: Sequence[Incoming]) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            rolled_back.append(True)

    one, two = Recorder(step=never), Recorder()
    subscription = await bus.read(one.reading(topic, topic, drain=0.05))
    await bus.send(some(topic, 30))
    await until(lambda: one.handling)
    await subscription.stop()
    assert rolled_back, "stop returned before the cancelled batch had cleaned up"
    await bus.read(two.reading(topic, topic))
    await until(lambda: len(two.done) >= 30)
    assert two.numbers == list(range(30))
    assert not one.done
