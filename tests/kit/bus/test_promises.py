"""What the port promises, asked of every body."""

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
    reader = RecordingConsumer()
    await bus.send(make_records(topic, 700))
    await bus.subscribe(reader.config_for(topic, topic, max_batch_records=100))
    await bus.send(make_records(topic, 700, first=700))
    await wait_until(lambda: len(reader.handled) >= 1400)
    assert reader.numbers == list(range(1400))
    assert reader.in_order()
    assert max(len(batch) for batch in reader.attempts) <= 100


async def test_every_group_gets_everything(bus: Bus, topic: str) -> None:
    one, two = RecordingConsumer(), RecordingConsumer()
    await bus.subscribe(one.config_for(topic, f"{topic}-one"))
    await bus.subscribe(two.config_for(topic, f"{topic}-two"))
    await bus.send(make_records(topic, 50))
    await wait_until(lambda: len(one.handled) == len(two.handled) == 50)


async def test_one_group_reads_several_topics(bus: Bus, name: str) -> None:
    names = (f"{name}-a", f"{name}-b")
    await bus.ensure_topics([Topic(each, 2) for each in names])
    reader = RecordingConsumer()
    reading = reader.config_for(names[0], name)
    await bus.subscribe(type(reading)(name, names, reader))
    for each in names:
        await bus.send(make_records(each, 10))
    await wait_until(lambda: len(reader.handled) == 20)


async def test_what_was_sent_is_there_when_send_returns(bus: Bus, topic: str) -> None:
    await bus.send([OutgoingRecord(topic, b"k", b"v", (("content-type", b"text/plain"),))])
    ends = (await bus.get_log_bounds([topic])).end
    (partition,) = [each for each, end in ends.items() if end == 1]
    (record,) = await bus.fetch(partition, 0, 10)
    assert (record.key, record.value, record.offset) == (b"k", b"v", 0)
    assert record.headers == (("content-type", b"text/plain"),)
    assert record.timestamp_ms > 1_600_000_000_000


async def test_a_record_too_large_for_ever_sends_nothing(bus: Bus, topic: str) -> None:
    with pytest.raises(Invalid):
        await bus.send(
            [*make_records(topic, 3), OutgoingRecord(topic, b"k", bytes(MAX_RECORD_BYTES))]
        )
    assert set((await bus.get_log_bounds([topic])).end.values()) == {0}


async def test_the_largest_record_passes(bus: Bus, topic: str) -> None:
    reader = RecordingConsumer()
    await bus.subscribe(reader.config_for(topic, topic))
    await bus.send(
        [OutgoingRecord(topic, b"k", bytes(MAX_RECORD_BYTES - 1)), *make_records(topic, 1)]
    )
    await wait_until(lambda: len(reader.handled) == 2)


async def test_missing_topics_are_named_and_never_made(bus: Bus, topic: str, name: str) -> None:
    missing = f"{name}-missing"
    with pytest.raises(NotFound, match=missing):
        await bus.subscribe(RecordingConsumer().config_for(missing, name))
    with pytest.raises(Transient):
        await bus.send([*make_records(topic, 1), *make_records(missing, 1)])
    with pytest.raises(NotFound, match=missing):
        await bus.get_log_bounds([missing])
    with pytest.raises(NotFound, match=missing):
        await bus.fetch(Partition(missing, 0), 0, 1)


async def test_ensure_leaves_what_exists_as_it_is(bus: Bus, topic: str, name: str) -> None:
    await bus.send(make_records(topic, 5))
    await bus.ensure_topics([Topic(topic, 9), Topic(f"{name}-new", 2)])
    ends = (await bus.get_log_bounds([topic, f"{name}-new"])).end
    assert len(ends) == 4 + 2
    assert sum(ends.values()) == 5


async def test_fetch_reads_a_slice_outside_of_any_group(bus: Bus, topic: str) -> None:
    await bus.send(make_records(topic, 20, key="k"))
    progress = await bus.get_log_bounds([topic])
    partition = max(progress.end, key=lambda each: progress.end[each])
    assert progress.begin[partition] == 0
    found = await bus.fetch(partition, 5, 3)
    assert [record.value for record in found] == [b"5", b"6", b"7"]
    assert await bus.fetch(partition, 20, 3) == ()
    assert len(await bus.fetch(partition, 18, 30)) == 2


async def test_a_moment_is_a_place_in_every_partition(bus: Bus, topic: str) -> None:
    await bus.send(make_records(topic, 40))
    await asyncio.sleep(0.01)
    moment = datetime.now(UTC)
    await asyncio.sleep(0.01)
    before = (await bus.get_log_bounds([topic])).end
    await bus.send(make_records(topic, 5, key="k"))
    later = await bus.get_log_bounds([topic], since=moment)
    assert later.begin == before
    assert sum(later.end.values()) == 45
    assert (await bus.get_log_bounds([topic], since=datetime.now(UTC))).begin == later.end
    long_ago = await bus.get_log_bounds([topic], since=moment - timedelta(days=1))
    assert set(long_ago.begin.values()) == {0}


async def test_the_consumer_says_where_to_start(bus: Bus, topic: str) -> None:
    await bus.send(make_records(topic, 20, key="k"))
    ends = (await bus.get_log_bounds([topic])).end
    reader = RecordingConsumer(starts={each: max(end - 4, 0) for each, end in ends.items()})
    await bus.subscribe(reader.config_for(topic, topic))
    await wait_until(lambda: len(reader.handled) >= 4)
    assert reader.numbers == [16, 17, 18, 19]


async def test_a_start_that_the_log_does_not_hold_is_the_beginning(bus: Bus, topic: str) -> None:
    await bus.send(make_records(topic, 5, key="k"))
    reader = RecordingConsumer(starts={Partition(topic, number): 1000 for number in range(4)})
    await bus.subscribe(reader.config_for(topic, topic))
    await wait_until(lambda: len(reader.handled) >= 5)
    assert reader.numbers == [0, 1, 2, 3, 4]


async def test_what_was_answered_is_where_the_next_reader_starts(bus: Bus, topic: str) -> None:
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


async def test_the_answer_may_lie_behind_or_ahead(bus: Bus, topic: str) -> None:
    answers = [3, 2, 8]

    async def step(batch: Sequence[IncomingRecord]) -> Mapping[Partition, int] | None:
        return {batch[0].partition: answers.pop(0)} if answers else None

    await bus.send(make_records(topic, 10, key="k"))
    reader = RecordingConsumer(step=step)
    await bus.subscribe(reader.config_for(topic, topic, max_batch_records=5))
    await wait_until(lambda: reader.values[-1:] == [b"9"])
    assert [int(batch[0].value or b"") for batch in reader.attempts] == [0, 3, 2, 8]


async def test_a_partition_without_an_answer_comes_again(bus: Bus, topic: str) -> None:
    forgetful = [True]

    async def step(_batch: Sequence[IncomingRecord]) -> Mapping[Partition, int] | None:
        return {} if forgetful and forgetful.pop() else None

    reader = RecordingConsumer(step=step)
    await bus.send(make_records(topic, 3, key="k"))
    await bus.subscribe(reader.config_for(topic, topic))
    await wait_until(lambda: len(reader.handled) == 6)
    assert reader.values[3:] == [b"0", b"1", b"2"]


async def test_a_stopped_bus_says_so(bus: Bus, topic: str) -> None:
    await bus.close()
    with pytest.raises(Transient):
        await bus.send(make_records(topic, 1))


async def test_holes_in_foreign_records_are_handed_over(bus: Bus, topic: str) -> None:
    """A tombstone is a record, too: it has to be accounted for."""
    reader = RecordingConsumer()
    await bus.subscribe(reader.config_for(topic, topic))
    await bus.send(
        [OutgoingRecord(topic, b"", b""), OutgoingRecord(topic, b"k", b"\xff\x00", (("h", b""),))]
    )
    await wait_until(lambda: len(reader.handled) == 2)
    assert {record.value for record in reader.handled} == {b"", b"\xff\x00"}


async def test_redeliver_holds_back_its_partition_only(bus: Bus, topic: str) -> None:
    """The others go on while one waits, and its order is kept."""
    tries: list[float] = []

    async def step(batch: Sequence[IncomingRecord]) -> None:
        if any(record.key == b"slow" for record in batch):
            tries.append(asyncio.get_running_loop().time())
            if len(tries) == 1:
                raise Redeliver(0.3, "the database is away")

    reader = RecordingConsumer(step=step)
    await bus.subscribe(reader.config_for(topic, topic))
    await bus.send(make_records(topic, 5, key="slow"))
    await wait_until(lambda: tries)
    await bus.send(
        [
            *make_records(topic, 5, key="slow", first=5),
            *make_records(topic, 5, key="other", first=100),
        ]
    )
    await wait_until(lambda: len(reader.handled) == 15)
    assert next_offsets(reader.handled[:5]).keys() != next_offsets(reader.handled[-1:]).keys()
    assert [record.value for record in reader.handled if record.key == b"slow"] == [
        str(number).encode() for number in range(10)
    ]
    assert tries[1] - tries[0] >= 0.29


async def test_what_is_alive(bus: Bus, topic: str) -> None:
    """An idle reader is; one whose batch takes longer than its limit is not; nor a stopped one."""
    stuck = asyncio.Event()

    async def step(_batch: Sequence[IncomingRecord]) -> None:
        await stuck.wait()

    reader = RecordingConsumer(step=step)
    subscription = await bus.subscribe(
        reader.config_for(topic, topic, max_poll_interval_seconds=0.2)
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
