"""No record is lost or applied twice at failures and rebalances, on every implementation."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from shared.kit.core.bus import Bus, IncomingRecord, Partition, Redeliver
from tests.support.consumers import RecordingConsumer, make_records, wait_until

pytestmark = pytest.mark.asyncio


async def test_batch_whose_handler_raises_is_redelivered(bus: Bus, topic: str) -> None:
    failures: list[Exception] = [ValueError("a bug"), Redeliver(0.01, "later")]

    async def step(_batch: Sequence[IncomingRecord]) -> None:
        if failures:
            raise failures.pop()

    consumer = RecordingConsumer(step=step)
    await bus.subscribe(consumer.config_for(topic, topic, max_batch_records=50))
    await bus.send(make_records(topic, 200))
    await wait_until(lambda: len(consumer.handled) >= 200)
    assert consumer.numbers == list(range(200))
    assert consumer.in_order()


async def test_a_failed_batch_is_not_committed_by_the_next_success(bus: Bus, topic: str) -> None:
    """One partition always fails, the others succeed; the next consumer gets all its records."""

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


async def test_on_assigned_is_retried_until_it_succeeds(bus: Bus, topic: str) -> None:
    class Slow(RecordingConsumer):
        asked = 0

        async def on_assigned(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
            self.asked += 1
            if self.asked == 1:
                raise ConnectionError
            return await super().on_assigned(partitions)

    consumer = Slow()
    await bus.send(make_records(topic, 20))
    await bus.subscribe(consumer.config_for(topic, topic))
    await wait_until(lambda: len(consumer.handled) == 20)
    assert consumer.asked == 2


class Slow(RecordingConsumer):
    """Takes half a second to return the start offsets, so that a client could fetch meanwhile."""

    async def on_assigned(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        await asyncio.sleep(0.5)
        return await super().on_assigned(partitions)


async def test_no_record_is_skipped_while_the_start_is_unknown(bus: Bus, topic: str) -> None:
    """Records that a client fetched meanwhile may be dropped, but not skipped."""
    first, second = Slow(), Slow()
    await bus.send(make_records(topic, 100))
    await bus.subscribe(first.config_for(topic, topic, max_batch_records=10))
    await wait_until(lambda: len(first.handled) >= 50)
    await bus.subscribe(second.config_for(topic, topic, max_batch_records=10))
    await bus.send(make_records(topic, 100, first=100))
    await wait_until(lambda: len(first.handled) + len(second.handled) >= 200)
    assert sorted(first.numbers + second.numbers) == list(range(200))


async def test_records_before_the_start_are_never_delivered(bus: Bus, topic: str) -> None:
    await bus.send(make_records(topic, 100))
    ends = (await bus.get_log_bounds([topic])).end
    consumer = Slow(starts=ends)
    await bus.subscribe(consumer.config_for(topic, topic, max_batch_records=10))
    await bus.send(make_records(topic, 100, first=100))
    await wait_until(lambda: len(consumer.handled) >= 100)
    assert consumer.numbers == list(range(100, 200))


async def test_rebalance_waits_for_the_batch_in_progress(bus: Bus, topic: str) -> None:
    """Two members share the partitions; the current batch of the first is applied once."""

    async def step(_batch: Sequence[IncomingRecord]) -> None:
        await asyncio.sleep(0.05)

    first, second = RecordingConsumer(step=step), RecordingConsumer(step=step)
    await bus.send(make_records(topic, 400))
    await bus.subscribe(first.config_for(topic, topic, max_batch_records=20))
    await wait_until(lambda: first.handled)
    await bus.subscribe(second.config_for(topic, topic, max_batch_records=20))
    await wait_until(lambda: len(first.handled) + len(second.handled) >= 400)
    assert sorted(first.numbers + second.numbers) == list(range(400))
    assert second.handled
    assert [call for call, _ in first.calls] == ["assigned", "revoked", "assigned"]
    assert len(first.owned) == len(second.owned) == 2
    assert not first.owned & second.owned


async def test_partitions_of_a_leaving_member_are_reassigned(bus: Bus, topic: str) -> None:
    first, second = RecordingConsumer(), RecordingConsumer()
    leaving = await bus.subscribe(first.config_for(topic, topic))
    await bus.subscribe(second.config_for(topic, topic))
    await wait_until(lambda: len(first.owned) == len(second.owned) == 2)
    await bus.send(make_records(topic, 100))
    await wait_until(lambda: len(first.handled) + len(second.handled) == 100)
    await leaving.stop()
    await bus.send(make_records(topic, 100, first=100))
    await wait_until(lambda: len(first.handled) + len(second.handled) >= 200)
    assert sorted(first.numbers + second.numbers) == list(range(200))
    assert len(second.owned) == 4


async def test_pause_survives_a_rebalance(bus: Bus, topic: str) -> None:
    """Only a member that keeps the partition waits; a new owner may try at once."""

    async def fail(_batch: Sequence[IncomingRecord]) -> None:
        raise Redeliver(60, "not for a long time")

    first, second = RecordingConsumer(step=fail), RecordingConsumer(step=fail)
    await bus.send(make_records(topic, 40))
    await bus.subscribe(first.config_for(topic, topic))
    await wait_until(
        lambda: {record.partition for batch in first.attempts for record in batch} == first.owned
    )
    await bus.subscribe(second.config_for(topic, topic))
    await wait_until(
        lambda: {record.partition for batch in second.attempts for record in batch} == second.owned
    )
    await wait_until(lambda: len(first.owned) == 2)
    tries = len(first.attempts)
    await asyncio.sleep(0.1)
    assert len(first.attempts) == tries


async def test_stop_finishes_the_batch_in_progress(bus: Bus, topic: str) -> None:
    async def step(_batch: Sequence[IncomingRecord]) -> None:
        await asyncio.sleep(0.1)

    first, second = RecordingConsumer(step=step), RecordingConsumer()
    subscription = await bus.subscribe(first.config_for(topic, topic, max_batch_records=10))
    await bus.send(make_records(topic, 30, key="k"))
    await wait_until(lambda: first.handling)
    await subscription.stop()
    assert first.handled
    assert not first.owned
    await bus.subscribe(second.config_for(topic, topic))
    await wait_until(lambda: len(first.handled) + len(second.handled) >= 30)
    assert sorted(first.numbers + second.numbers) == list(range(30))


async def test_batch_cancelled_by_stop_is_redelivered(bus: Bus, topic: str) -> None:
    rolled_back = []

    async def never(_batch: Sequence[IncomingRecord]) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            rolled_back.append(True)

    first, second = RecordingConsumer(step=never), RecordingConsumer()
    subscription = await bus.subscribe(first.config_for(topic, topic, drain_timeout_seconds=0.05))
    await bus.send(make_records(topic, 30))
    await wait_until(lambda: first.handling)
    await subscription.stop()
    assert rolled_back, "stop returned before the cancelled batch was rolled back"
    await bus.subscribe(second.config_for(topic, topic))
    await wait_until(lambda: len(second.handled) >= 30)
    assert second.numbers == list(range(30))
    assert not first.handled
