"""Nothing is lost and nothing is done twice: failures and rebalances, asked of every body."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from shared.kit.core.bus import Bus, IncomingRecord, Partition, Redeliver
from tests.support.consumers import RecordingConsumer, make_records, wait_until

pytestmark = pytest.mark.asyncio


async def test_a_batch_whose_handler_raises_comes_again(bus: Bus, topic: str) -> None:
    failures: list[Exception] = [ValueError("a bug"), Redeliver(0.01, "later")]

    async def step(_batch: Sequence[IncomingRecord]) -> None:
        if failures:
            raise failures.pop()

    reader = RecordingConsumer(step=step)
    await bus.subscribe(reader.config_for(topic, topic, max_batch_records=50))
    await bus.send(make_records(topic, 200))
    await wait_until(lambda: len(reader.handled) >= 200)
    assert reader.numbers == list(range(200))
    assert reader.in_order()


async def test_a_failed_batch_is_not_committed_by_the_next_success(bus: Bus, topic: str) -> None:
    """One partition fails for ever, the others succeed; the next reader gets all of the first."""

    async def step(batch: Sequence[IncomingRecord]) -> None:
        if any(record.key == b"bad" for record in batch):
            raise Redeliver(0.01, "not now")

    first, second = RecordingConsumer(step=step), RecordingConsumer()
    subscription = await bus.subscribe(first.config_for(topic, topic, commit_interval_seconds=0.01))
    await bus.send(make_records(topic, 3, key="bad"))
    await wait_until(lambda: len(first.attempts) >= 3)
    await bus.send(make_records(topic, 20, key="key-0", first=10))
    await wait_until(lambda: len(first.handled) >= 20)
    await subscription.stop()
    await bus.subscribe(second.config_for(topic, topic))
    await wait_until(lambda: len(second.handled) >= 3)
    assert [record.key for record in second.handled] == [b"bad"] * 3


async def test_the_consumer_is_asked_again_until_it_says_where_to_start(
    bus: Bus, topic: str
) -> None:
    class Slow(RecordingConsumer):
        asked = 0

        async def on_assigned(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
            self.asked += 1
            if self.asked == 1:
                raise ConnectionError
            return await super().on_assigned(partitions)

    reader = Slow()
    await bus.send(make_records(topic, 20))
    await bus.subscribe(reader.config_for(topic, topic))
    await wait_until(lambda: len(reader.handled) == 20)
    assert reader.asked == 2


class Slow(RecordingConsumer):
    """Takes half a second to say where to start: time enough for a client to fetch."""

    async def on_assigned(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        await asyncio.sleep(0.5)
        return await super().on_assigned(partitions)


async def test_nothing_is_read_past_while_the_start_is_looked_up(bus: Bus, topic: str) -> None:
    """What a client has fetched meanwhile may be thrown away, but not skipped."""
    one, two = Slow(), Slow()
    await bus.send(make_records(topic, 100))
    await bus.subscribe(one.config_for(topic, topic, max_batch_records=10))
    await wait_until(lambda: len(one.handled) >= 50)
    await bus.subscribe(two.config_for(topic, topic, max_batch_records=10))
    await bus.send(make_records(topic, 100, first=100))
    await wait_until(lambda: len(one.handled) + len(two.handled) >= 200)
    assert sorted(one.numbers + two.numbers) == list(range(200))


async def test_what_came_before_the_start_is_never_handed_over(bus: Bus, topic: str) -> None:
    await bus.send(make_records(topic, 100))
    ends = (await bus.get_log_bounds([topic])).end
    reader = Slow(starts=ends)
    await bus.subscribe(reader.config_for(topic, topic, max_batch_records=10))
    await bus.send(make_records(topic, 100, first=100))
    await wait_until(lambda: len(reader.handled) >= 100)
    assert reader.numbers == list(range(100, 200))


async def test_a_rebalance_waits_for_the_batch_in_hand(bus: Bus, topic: str) -> None:
    """Two readers share; what the first had in hand is done once, by the first."""

    async def step(_batch: Sequence[IncomingRecord]) -> None:
        await asyncio.sleep(0.05)

    one, two = RecordingConsumer(step=step), RecordingConsumer(step=step)
    await bus.send(make_records(topic, 400))
    await bus.subscribe(one.config_for(topic, topic, max_batch_records=20))
    await wait_until(lambda: one.handled)
    await bus.subscribe(two.config_for(topic, topic, max_batch_records=20))
    await wait_until(lambda: len(one.handled) + len(two.handled) >= 400)
    assert sorted(one.numbers + two.numbers) == list(range(400))
    assert two.handled
    assert [what for what, _ in one.calls] == ["assigned", "revoked", "assigned"]
    assert len(one.owned) == len(two.owned) == 2
    assert not one.owned & two.owned


async def test_who_leaves_hands_over_to_who_stays(bus: Bus, topic: str) -> None:
    one, two = RecordingConsumer(), RecordingConsumer()
    leaving = await bus.subscribe(one.config_for(topic, topic))
    await bus.subscribe(two.config_for(topic, topic))
    await wait_until(lambda: len(one.owned) == len(two.owned) == 2)
    await bus.send(make_records(topic, 100))
    await wait_until(lambda: len(one.handled) + len(two.handled) == 100)
    await leaving.stop()
    await bus.send(make_records(topic, 100, first=100))
    await wait_until(lambda: len(one.handled) + len(two.handled) >= 200)
    assert sorted(one.numbers + two.numbers) == list(range(200))
    assert len(two.owned) == 4


async def test_a_pause_is_remembered_across_a_rebalance(bus: Bus, topic: str) -> None:
    """Only who keeps the partition remembers; a new owner may try at once."""

    async def fail(_batch: Sequence[IncomingRecord]) -> None:
        raise Redeliver(60, "not for a long time")

    one, two = RecordingConsumer(step=fail), RecordingConsumer(step=fail)
    await bus.send(make_records(topic, 40))
    await bus.subscribe(one.config_for(topic, topic))
    await wait_until(
        lambda: {record.partition for batch in one.attempts for record in batch} == one.owned
    )
    await bus.subscribe(two.config_for(topic, topic))
    await wait_until(
        lambda: {record.partition for batch in two.attempts for record in batch} == two.owned
    )
    await wait_until(lambda: len(one.owned) == 2)
    tries = len(one.attempts)
    await asyncio.sleep(0.1)
    assert len(one.attempts) == tries


async def test_stop_finishes_the_batch_in_hand(bus: Bus, topic: str) -> None:
    async def step(_batch: Sequence[IncomingRecord]) -> None:
        await asyncio.sleep(0.1)

    one, two = RecordingConsumer(step=step), RecordingConsumer()
    subscription = await bus.subscribe(one.config_for(topic, topic, max_batch_records=10))
    await bus.send(make_records(topic, 30, key="k"))
    await wait_until(lambda: one.handling)
    await subscription.stop()
    assert one.handled
    assert not one.owned
    await bus.subscribe(two.config_for(topic, topic))
    await wait_until(lambda: len(one.handled) + len(two.handled) >= 30)
    assert sorted(one.numbers + two.numbers) == list(range(30))


async def test_a_batch_cancelled_by_stop_comes_again(bus: Bus, topic: str) -> None:
    rolled_back = []

    async def never(_batch: Sequence[IncomingRecord]) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            rolled_back.append(True)

    one, two = RecordingConsumer(step=never), RecordingConsumer()
    subscription = await bus.subscribe(one.config_for(topic, topic, drain_timeout_seconds=0.05))
    await bus.send(make_records(topic, 30))
    await wait_until(lambda: one.handling)
    await subscription.stop()
    assert rolled_back, "stop returned before the cancelled batch had cleaned up"
    await bus.subscribe(two.config_for(topic, topic))
    await wait_until(lambda: len(two.handled) >= 30)
    assert two.numbers == list(range(30))
    assert not one.handled
