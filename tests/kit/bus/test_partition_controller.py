"""The rules of reading, one by one and without a broker: what a race would meet too seldom."""

import asyncio
import time
from collections.abc import Mapping, Sequence

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaConnectionError

from shared.kit.bus.kafka.partition_controller import PartitionController
from shared.kit.bus.kafka.prefetch import FetchedRecords
from shared.kit.core.bus import IncomingRecord, Partition, SubscriptionConfig
from tests.support.consumers import RecordingConsumer

pytestmark = pytest.mark.asyncio

PLACE = Partition("posts", 0)
THEIRS = TopicPartition("posts", 0)


class Client:
    """Stands for aiokafka's consumer, and remembers what it was told."""

    def __init__(self) -> None:
        self.paused: set[TopicPartition] = set()
        self.sought: list[int] = []
        self.committed: list[Mapping[TopicPartition, int]] = []

    def pause(self, *places: TopicPartition) -> None:
        self.paused.update(places)

    def resume(self, *places: TopicPartition) -> None:
        self.paused.difference_update(places)

    def seek(self, place: TopicPartition, offset: int) -> None:
        self.sought.append(offset)

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        self.committed.append(dict(offsets))


async def nothing(*, timeout_ms: int) -> FetchedRecords:
    return {}


def records(*offsets: int) -> tuple[ConsumerRecord, ...]:
    return tuple(
        ConsumerRecord("posts", 0, offset, 0, 0, b"k", b"%d" % offset, None, 1, 1, ())
        for offset in offsets
    )


def rules_of(consumer: RecordingConsumer) -> tuple[PartitionController, Client]:
    rules, client = (
        PartitionController(
            SubscriptionConfig("group", ("posts",), consumer, commit_interval_seconds=0)
        ),
        Client(),
    )
    rules.attach(client)
    return rules, client


async def test_a_new_partition_is_held_back_until_its_start_is_known() -> None:
    rules, client = rules_of(RecordingConsumer(starts={PLACE: 7}))
    await rules.on_partitions_assigned({THEIRS})
    assert client.paused == {THEIRS}
    await rules.poll(nothing)
    assert not client.paused
    assert client.sought == [7]


async def test_what_was_fetched_before_the_start_was_known_is_not_skipped() -> None:
    """Between the assignment and our pause a client may fetch, and moves its position by it."""
    reader = RecordingConsumer()
    rules, client = rules_of(reader)
    await rules.on_partitions_assigned({THEIRS})
    await rules.on_batch(records(3, 4))
    assert not reader.attempts
    assert client.sought == [3]


async def test_what_was_fetched_before_a_rebalance_is_left_to_the_new_owner() -> None:
    """Where the partition comes back at once, its start is asked again; nothing seeks over it."""
    reader = RecordingConsumer()
    rules, client = rules_of(reader)
    await rules.on_partitions_assigned({THEIRS})
    await rules.poll(nothing)
    await rules.on_partitions_revoked({THEIRS})
    await rules.on_partitions_assigned({THEIRS})
    await rules.on_batch(records(3, 4))
    assert not reader.attempts
    assert not client.sought


async def test_what_was_answered_is_committed_and_nothing_else() -> None:
    elsewhere = Partition("posts", 1)

    async def half(batch: Sequence[IncomingRecord]) -> Mapping[Partition, int]:
        return {PLACE: batch[0].offset + 1, elsewhere: 99}

    rules, client = rules_of(RecordingConsumer(step=half))
    await rules.on_partitions_assigned({THEIRS})
    await rules.poll(nothing)
    await rules.on_batch(records(3, 4))
    await rules.release()
    assert client.committed == [{THEIRS: 4}]
    assert client.sought == [4]


async def test_an_answer_that_is_none_loses_no_batch() -> None:
    """Whatever goes wrong after the consumer has spoken, FastStream would swallow it."""

    class Wrong(RecordingConsumer):
        async def handle(self, batch: Sequence[IncomingRecord]) -> Mapping[Partition, int]:
            return None  # type: ignore[return-value]  # as a handler without mypy would

    rules, client = rules_of(Wrong())
    await rules.on_partitions_assigned({THEIRS})
    await rules.poll(nothing)
    await rules.on_batch(records(3, 4))
    assert client.sought == [3]
    assert client.paused == {THEIRS}


async def test_a_reader_whose_broker_is_away_is_alive_and_has_not_polled() -> None:
    """Starting it anew would not bring the broker back."""

    async def away(*, timeout_ms: int) -> FetchedRecords:
        raise KafkaConnectionError

    rules = PartitionController(
        SubscriptionConfig("group", ("posts",), RecordingConsumer(), max_poll_interval_seconds=0.7)
    )
    rules.attach(Client())
    await rules.on_partitions_assigned(set())
    before = rules.last_poll_age
    for _ in range(2):
        await rules.poll(away)
    assert rules.is_polling()
    assert rules.last_poll_age > before + 1


async def test_a_reader_that_hangs_is_not_alive() -> None:
    rules = PartitionController(
        SubscriptionConfig("group", ("posts",), RecordingConsumer(), max_poll_interval_seconds=0.05)
    )
    rules.attach(Client())
    await rules.on_partitions_assigned(set())
    assert rules.is_polling()
    await asyncio.sleep(0.1)
    assert not rules.is_polling()


async def test_records_that_come_one_by_one_gather_while_the_last_batch_rests() -> None:
    asked: list[float] = []
    done: list[float] = []

    async def one(*, timeout_ms: int) -> FetchedRecords:
        asked.append(time.monotonic())
        return {THEIRS: list(records(len(asked)))}

    async def slow(batch: Sequence[IncomingRecord]) -> None:
        await asyncio.sleep(0.006)
        done.append(time.monotonic())

    rules, _ = rules_of(RecordingConsumer(step=slow))
    await rules.on_partitions_assigned({THEIRS})
    for _ in range(3):
        await rules.on_batch(tuple((await rules.poll(one))[THEIRS]))
    rests = [again - before for before, again in zip(done, asked[1:], strict=False)]
    assert len(rests) == 2
    assert min(rests) > 0.005


class Log:
    """A client whose polls give a record each from where it stands, two at a time at most."""

    def __init__(self) -> None:
        self.client = Client()
        self.at = 0

    async def __call__(self, *, timeout_ms: int) -> FetchedRecords:
        begin = self.client.sought[-1] if self.client.sought else self.at
        self.client.sought.clear()
        self.at = begin + 2
        return {THEIRS: list(records(begin, begin + 1))}


async def reading_ahead(reader: RecordingConsumer) -> tuple[PartitionController, Log]:
    rules, log = (
        PartitionController(
            SubscriptionConfig(
                "group", ("posts",), reader, max_batch_records=2, commit_interval_seconds=0
            )
        ),
        Log(),
    )
    rules.attach(log.client)
    await rules.on_partitions_assigned({THEIRS})
    return rules, log


async def turn(rules: PartitionController, log: Log) -> list[int]:
    found = (await rules.poll(log))[THEIRS]
    await rules.on_batch(tuple(found))
    return [record.offset for record in found]


async def test_the_next_batch_is_prepared_while_one_is_in_hand() -> None:
    ready: list[int] = []

    async def slow(batch: Sequence[IncomingRecord]) -> None:
        await asyncio.sleep(0.01)
        ready.append(len(reader.prepared))

    reader = RecordingConsumer(step=slow)
    rules, log = await reading_ahead(reader)
    assert [await turn(rules, log) for _ in range(3)] == [[0, 1], [2, 3], [4, 5]]
    assert ready == [2, 3, 4]
    assert reader.attempts == reader.prepared[:3]
    await rules.release()


async def test_what_was_read_ahead_of_a_batch_that_failed_comes_after_it() -> None:
    tries: list[int] = []

    async def second_try(batch: Sequence[IncomingRecord]) -> None:
        await asyncio.sleep(0.01)
        tries.append(batch[0].offset)
        if tries == [0]:
            raise RuntimeError

    rules, log = await reading_ahead(RecordingConsumer(step=second_try))
    for _ in range(3):
        await turn(rules, log)
    assert tries == [0, 0, 2]
    await rules.release()


async def test_what_was_read_ahead_before_a_rebalance_is_left_to_the_new_owner() -> None:
    async def slow(batch: Sequence[IncomingRecord]) -> None:
        await asyncio.sleep(0.01)

    reader = RecordingConsumer(step=slow)
    rules, log = await reading_ahead(reader)
    assert await turn(rules, log) == [0, 1]
    await asyncio.sleep(0)
    await rules.on_partitions_revoked({THEIRS})
    await rules.on_partitions_assigned({THEIRS})
    await turn(rules, log)
    # The client goes on where it stands: what was seen before is not taken for it.
    assert [[each.offset for each in batch] for batch in reader.attempts] == [[0, 1], [4, 5]]
    await rules.release()


async def test_what_was_read_ahead_of_the_start_is_read_again_from_there() -> None:
    """A look that ends after an assignment, but before its start is known, stands elsewhere."""
    gate = asyncio.Event()

    async def wait(batch: Sequence[IncomingRecord]) -> None:
        await gate.wait()

    reader = RecordingConsumer(starts={PLACE: 40}, step=wait)
    rules, log = await reading_ahead(reader)
    found = await rules.poll(log)
    working = asyncio.create_task(rules.on_batch(tuple(found[THEIRS])))
    rules._generation += 1  # as if a rebalance ended while the client still looks
    await asyncio.sleep(0.01)
    gate.set()
    await working
    await rules.on_partitions_assigned({THEIRS})
    assert await turn(rules, log) == [40, 41]
    await rules.release()


async def test_a_batch_that_cannot_be_prepared_is_handed_over_all_the_same() -> None:
    class Weak(RecordingConsumer):
        async def prepare(self, batch: Sequence[IncomingRecord]) -> None:
            raise RuntimeError

    reader = Weak()
    rules, log = await reading_ahead(reader)
    assert await turn(rules, log) == [0, 1]
    assert reader.numbers == [0, 1]
    await rules.release()
