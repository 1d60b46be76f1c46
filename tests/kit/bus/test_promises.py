"""The promises of the port, tested on every implementation."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from shared.kit.core.bus import (
    MAX_RECORD_BYTES,
    Bus,
    IncomingRecord,
    OutgoingRecord,
    Partition,
    Redeliver,
    Topic,
)
from shared.kit.core.errors import Invalid, NotFound, Transient
from tests.support.consumers import RecordingConsumer, make_records, next_offsets, wait_until

pytestmark = pytest.mark.asyncio


async def test_every_record_arrives_once_and_in_order_per_key(bus: Bus, topic: str) -> None:
    consumer = RecordingConsumer()
    await bus.send(make_records(topic, 700))
    await bus.subscribe(consumer.config_for(topic, topic, max_batch_records=100))
    await bus.send(make_records(topic, 700, first=700))
    await wait_until(lambda: len(consumer.handled) >= 1400)
    assert consumer.numbers == list(range(1400))
    assert consumer.in_order()
    assert max(len(batch) for batch in consumer.attempts) <= 100


async def test_every_group_gets_everything(bus: Bus, topic: str) -> None:
    first, second = RecordingConsumer(), RecordingConsumer()
    await bus.subscribe(first.config_for(topic, f"{topic}-one"))
    await bus.subscribe(second.config_for(topic, f"{topic}-two"))
    await bus.send(make_records(topic, 50))
    await wait_until(lambda: len(first.handled) == len(second.handled) == 50)


async def test_one_group_reads_several_topics(bus: Bus, name: str) -> None:
    topics = (f"{name}-a", f"{name}-b")
    await bus.ensure_topics([Topic(topic_name, 2) for topic_name in topics])
    consumer = RecordingConsumer()
    config = consumer.config_for(topics[0], name)
    await bus.subscribe(type(config)(name, topics, consumer))
    for topic_name in topics:
        await bus.send(make_records(topic_name, 10))
    await wait_until(lambda: len(consumer.handled) == 20)


async def test_sent_record_can_be_fetched_when_send_returns(bus: Bus, topic: str) -> None:
    await bus.send([OutgoingRecord(topic, b"k", b"v", (("content-type", b"text/plain"),))])
    ends = (await bus.get_log_bounds([topic])).end
    (partition,) = [number for number, end in ends.items() if end == 1]
    (record,) = await bus.fetch(partition, 0, 10)
    assert (record.key, record.value, record.offset) == (b"k", b"v", 0)
    assert record.headers == (("content-type", b"text/plain"),)
    assert record.timestamp_ms > 1_600_000_000_000


async def test_record_above_the_limit_sends_nothing(bus: Bus, topic: str) -> None:
    with pytest.raises(Invalid):
        await bus.send(
            [*make_records(topic, 3), OutgoingRecord(topic, b"k", bytes(MAX_RECORD_BYTES))]
        )
    assert set((await bus.get_log_bounds([topic])).end.values()) == {0}


async def test_largest_record_is_delivered(bus: Bus, topic: str) -> None:
    consumer = RecordingConsumer()
    await bus.subscribe(consumer.config_for(topic, topic))
    await bus.send(
        [OutgoingRecord(topic, b"k", bytes(MAX_RECORD_BYTES - 1)), *make_records(topic, 1)]
    )
    await wait_until(lambda: len(consumer.handled) == 2)


async def test_missing_topics_are_named_and_never_created(bus: Bus, topic: str, name: str) -> None:
    missing = f"{name}-missing"
    with pytest.raises(NotFound, match=missing):
        await bus.subscribe(RecordingConsumer().config_for(missing, name))
    with pytest.raises(Transient):
        await bus.send([*make_records(topic, 1), *make_records(missing, 1)])
    with pytest.raises(NotFound, match=missing):
        await bus.get_log_bounds([missing])
    with pytest.raises(NotFound, match=missing):
        await bus.fetch(Partition(missing, 0), 0, 1)


async def test_ensure_topics_does_not_change_existing_topics(
    bus: Bus, topic: str, name: str
) -> None:
    await bus.send(make_records(topic, 5))
    await bus.ensure_topics([Topic(topic, 9), Topic(f"{name}-new", 2)])
    ends = (await bus.get_log_bounds([topic, f"{name}-new"])).end
    assert len(ends) == 4 + 2
    assert sum(ends.values()) == 5


async def test_fetch_reads_a_slice_without_a_group(bus: Bus, topic: str) -> None:
    await bus.send(make_records(topic, 20, key="k"))
    bounds = await bus.get_log_bounds([topic])
    partition = max(bounds.end, key=lambda p: bounds.end[p])
    assert bounds.begin[partition] == 0
    records = await bus.fetch(partition, 5, 3)
    assert [record.value for record in records] == [b"5", b"6", b"7"]
    assert await bus.fetch(partition, 20, 3) == ()
    assert len(await bus.fetch(partition, 18, 30)) == 2


async def test_log_bounds_since_a_moment_begin_at_its_first_record(bus: Bus, topic: str) -> None:
    await bus.send(make_records(topic, 40))
    await asyncio.sleep(0.01)
    moment = datetime.now(UTC)
    await asyncio.sleep(0.01)
    ends_before = (await bus.get_log_bounds([topic])).end
    await bus.send(make_records(topic, 5, key="k"))
    bounds = await bus.get_log_bounds([topic], since=moment)
    assert bounds.begin == ends_before
    assert sum(bounds.end.values()) == 45
    assert (await bus.get_log_bounds([topic], since=datetime.now(UTC))).begin == bounds.end
    earlier_bounds = await bus.get_log_bounds([topic], since=moment - timedelta(days=1))
    assert set(earlier_bounds.begin.values()) == {0}


async def test_consumer_chooses_the_start_offset(bus: Bus, topic: str) -> None:
    await bus.send(make_records(topic, 20, key="k"))
    ends = (await bus.get_log_bounds([topic])).end
    consumer = RecordingConsumer(starts={p: max(end - 4, 0) for p, end in ends.items()})
    await bus.subscribe(consumer.config_for(topic, topic))
    await wait_until(lambda: len(consumer.handled) >= 4)
    assert consumer.numbers == [16, 17, 18, 19]


async def test_start_outside_the_log_means_the_beginning(bus: Bus, topic: str) -> None:
    await bus.send(make_records(topic, 5, key="k"))
    consumer = RecordingConsumer(starts={Partition(topic, number): 1000 for number in range(4)})
    await bus.subscribe(consumer.config_for(topic, topic))
    await wait_until(lambda: len(consumer.handled) >= 5)
    assert consumer.numbers == [0, 1, 2, 3, 4]


async def test_next_consumer_starts_at_the_committed_offset(bus: Bus, topic: str) -> None:
    first, second = RecordingConsumer(), RecordingConsumer()
    subscription = await bus.subscribe(first.config_for(topic, topic))
    await bus.send(make_records(topic, 30))
    await wait_until(lambda: len(first.handled) == 30)
    await subscription.stop()
    await subscription.stop()
    await bus.send(make_records(topic, 10, first=30))
    await bus.subscribe(second.config_for(topic, topic))
    await wait_until(lambda: len(second.handled) >= 10)
    assert second.numbers == list(range(30, 40))


async def test_returned_offset_may_be_lower_or_higher(bus: Bus, topic: str) -> None:
    answers = [3, 2, 8]

    async def step(batch: Sequence[IncomingRecord]) -> Mapping[Partition, int] | None:
        return {batch[0].partition: answers.pop(0)} if answers else None

    await bus.send(make_records(topic, 10, key="k"))
    consumer = RecordingConsumer(step=step)
    await bus.subscribe(consumer.config_for(topic, topic, max_batch_records=5))
    await wait_until(lambda: consumer.values[-1:] == [b"9"])
    assert [int(batch[0].value or b"") for batch in consumer.attempts] == [0, 3, 2, 8]


async def test_partition_without_returned_offset_is_redelivered(bus: Bus, topic: str) -> None:
    forgetful = [True]

    async def step(_batch: Sequence[IncomingRecord]) -> Mapping[Partition, int] | None:
        return {} if forgetful and forgetful.pop() else None

    consumer = RecordingConsumer(step=step)
    await bus.send(make_records(topic, 3, key="k"))
    await bus.subscribe(consumer.config_for(topic, topic))
    await wait_until(lambda: len(consumer.handled) == 6)
    assert consumer.values[3:] == [b"0", b"1", b"2"]


async def test_closed_bus_raises_transient(bus: Bus, topic: str) -> None:
    await bus.close()
    with pytest.raises(Transient):
        await bus.send(make_records(topic, 1))


async def test_empty_and_binary_values_are_delivered(bus: Bus, topic: str) -> None:
    """A tombstone must be counted like any record."""
    consumer = RecordingConsumer()
    await bus.subscribe(consumer.config_for(topic, topic))
    await bus.send(
        [OutgoingRecord(topic, b"", b""), OutgoingRecord(topic, b"k", b"\xff\x00", (("h", b""),))]
    )
    await wait_until(lambda: len(consumer.handled) == 2)
    assert {record.value for record in consumer.handled} == {b"", b"\xff\x00"}


async def test_redeliver_pauses_only_its_partition(bus: Bus, topic: str) -> None:
    """Other partitions continue while one is paused, and its order is kept."""
    tries: list[float] = []

    async def step(batch: Sequence[IncomingRecord]) -> None:
        if any(record.key == b"slow" for record in batch):
            tries.append(asyncio.get_running_loop().time())
            if len(tries) == 1:
                raise Redeliver(0.3, "the database is away")

    consumer = RecordingConsumer(step=step)
    await bus.subscribe(consumer.config_for(topic, topic))
    await bus.send(make_records(topic, 5, key="slow"))
    await wait_until(lambda: tries)
    await bus.send(
        [
            *make_records(topic, 5, key="slow", first=5),
            *make_records(topic, 5, key="other", first=100),
        ]
    )
    await wait_until(lambda: len(consumer.handled) == 15)
    assert next_offsets(consumer.handled[:5]).keys() != next_offsets(consumer.handled[-1:]).keys()
    assert [record.value for record in consumer.handled if record.key == b"slow"] == [
        str(number).encode() for number in range(10)
    ]
    assert tries[1] - tries[0] >= 0.29


async def test_idle_subscription_is_alive_and_stuck_one_is_not(bus: Bus, topic: str) -> None:
    """A batch that exceeds the poll interval makes it not alive, and so does a stop."""
    stuck = asyncio.Event()

    async def step(_batch: Sequence[IncomingRecord]) -> None:
        await stuck.wait()

    consumer = RecordingConsumer(step=step)
    subscription = await bus.subscribe(
        consumer.config_for(topic, topic, max_poll_interval_seconds=0.2)
    )
    await asyncio.sleep(0.3)
    assert subscription.alive()
    assert subscription.last_poll_age < 0.2
    await bus.send(make_records(topic, 1))
    await wait_until(lambda: not subscription.alive())
    assert subscription.last_poll_age >= 0.2
    stuck.set()
    await wait_until(subscription.alive)
    await subscription.stop()
    assert not subscription.alive()
