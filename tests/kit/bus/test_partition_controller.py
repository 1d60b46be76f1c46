"""The partition controller without a broker: cases that a race would produce too rarely."""

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

PARTITION = Partition("posts", 0)
TOPIC_PARTITION = TopicPartition("posts", 0)


class FakeClient:
    """Replaces aiokafka's consumer and records its calls."""

    def __init__(self) -> None:
        self.paused: set[TopicPartition] = set()
        self.sought: list[int] = []
        self.committed: list[Mapping[TopicPartition, int]] = []

    def pause(self, *partitions: TopicPartition) -> None:
        self.paused.update(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        self.paused.difference_update(partitions)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.sought.append(offset)

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        self.committed.append(dict(offsets))


async def fetch_nothing(*, timeout_ms: int) -> FetchedRecords:
    return {}


def make_records(*offsets: int) -> tuple[ConsumerRecord, ...]:
    return tuple(
        ConsumerRecord("posts", 0, offset, 0, 0, b"k", b"%d" % offset, None, 1, 1, ())
        for offset in offsets
    )


def make_controller(consumer: RecordingConsumer) -> tuple[PartitionController, FakeClient]:
    controller, client = (
        PartitionController(
            SubscriptionConfig("group", ("posts",), consumer, commit_interval_seconds=0)
        ),
        FakeClient(),
    )
    controller.attach(client)
    return controller, client


async def test_new_partition_is_paused_until_its_start_is_known() -> None:
    controller, client = make_controller(RecordingConsumer(starts={PARTITION: 7}))
    await controller.on_partitions_assigned({TOPIC_PARTITION})
    assert client.paused == {TOPIC_PARTITION}
    await controller.poll(fetch_nothing)
    assert not client.paused
    assert client.sought == [7]


async def test_records_fetched_before_the_start_is_known_are_not_skipped() -> None:
    """A client may fetch between the assignment and our pause, which moves its position."""
    consumer = RecordingConsumer()
    controller, client = make_controller(consumer)
    await controller.on_partitions_assigned({TOPIC_PARTITION})
    await controller.on_batch(make_records(3, 4))
    assert not consumer.attempts
    assert client.sought == [3]


async def test_records_fetched_before_a_rebalance_are_dropped() -> None:
    """An immediate reassignment requests the start again; the old batch causes no seek."""
    consumer = RecordingConsumer()
    controller, client = make_controller(consumer)
    await controller.on_partitions_assigned({TOPIC_PARTITION})
    await controller.poll(fetch_nothing)
    await controller.on_partitions_revoked({TOPIC_PARTITION})
    await controller.on_partitions_assigned({TOPIC_PARTITION})
    await controller.on_batch(make_records(3, 4))
    assert not consumer.attempts
    assert not client.sought


async def test_only_returned_offsets_are_committed() -> None:
    other_partition = Partition("posts", 1)

    async def half(batch: Sequence[IncomingRecord]) -> Mapping[Partition, int]:
        return {PARTITION: batch[0].offset + 1, other_partition: 99}

    controller, client = make_controller(RecordingConsumer(step=half))
    await controller.on_partitions_assigned({TOPIC_PARTITION})
    await controller.poll(fetch_nothing)
    await controller.on_batch(make_records(3, 4))
    await controller.release()
    assert client.committed == [{TOPIC_PARTITION: 4}]
    assert client.sought == [4]


async def test_consumer_that_returns_none_loses_no_batch() -> None:
    """FastStream would swallow an error that occurs after the consumer has returned."""

    class Wrong(RecordingConsumer):
        async def handle(self, batch: Sequence[IncomingRecord]) -> Mapping[Partition, int]:
            return None  # type: ignore[return-value]  # as a handler that is not type-checked would

    controller, client = make_controller(Wrong())
    await controller.on_partitions_assigned({TOPIC_PARTITION})
    await controller.poll(fetch_nothing)
    await controller.on_batch(make_records(3, 4))
    assert client.sought == [3]
    assert client.paused == {TOPIC_PARTITION}


async def test_subscription_is_alive_while_its_broker_is_down() -> None:
    """A restart of the process would not bring the broker back."""

    async def fail(*, timeout_ms: int) -> FetchedRecords:
        raise KafkaConnectionError

    controller = PartitionController(
        SubscriptionConfig("group", ("posts",), RecordingConsumer(), max_poll_interval_seconds=0.7)
    )
    controller.attach(FakeClient())
    await controller.on_partitions_assigned(set())
    age_before = controller.last_poll_age
    for _ in range(2):
        await controller.poll(fail)
    assert controller.is_polling()
    assert controller.last_poll_age > age_before + 1


async def test_hanging_subscription_is_not_alive() -> None:
    controller = PartitionController(
        SubscriptionConfig("group", ("posts",), RecordingConsumer(), max_poll_interval_seconds=0.05)
    )
    controller.attach(FakeClient())
    await controller.on_partitions_assigned(set())
    assert controller.is_polling()
    await asyncio.sleep(0.1)
    assert not controller.is_polling()


async def test_partial_batches_are_followed_by_a_pause() -> None:
    poll_times: list[float] = []
    handled_times: list[float] = []

    async def one(*, timeout_ms: int) -> FetchedRecords:
        poll_times.append(time.monotonic())
        return {TOPIC_PARTITION: list(make_records(len(poll_times)))}

    async def slow(batch: Sequence[IncomingRecord]) -> None:
        await asyncio.sleep(0.006)
        handled_times.append(time.monotonic())

    controller, _ = make_controller(RecordingConsumer(step=slow))
    await controller.on_partitions_assigned({TOPIC_PARTITION})
    for _ in range(3):
        await controller.on_batch(tuple((await controller.poll(one))[TOPIC_PARTITION]))
    pauses = [
        polled_at - handled_at
        for handled_at, polled_at in zip(handled_times, poll_times[1:], strict=False)
    ]
    assert len(pauses) == 2
    assert min(pauses) > 0.005


class FakeLog:
    """A client whose polls return the next two records from its position."""

    def __init__(self) -> None:
        self.client = FakeClient()
        self.at = 0

    async def __call__(self, *, timeout_ms: int) -> FetchedRecords:
        begin = self.client.sought[-1] if self.client.sought else self.at
        self.client.sought.clear()
        self.at = begin + 2
        return {TOPIC_PARTITION: list(make_records(begin, begin + 1))}


async def make_full_batch_controller(
    consumer: RecordingConsumer,
) -> tuple[PartitionController, FakeLog]:
    controller, log = (
        PartitionController(
            SubscriptionConfig(
                "group", ("posts",), consumer, max_batch_records=2, commit_interval_seconds=0
            )
        ),
        FakeLog(),
    )
    controller.attach(log.client)
    await controller.on_partitions_assigned({TOPIC_PARTITION})
    return controller, log


async def poll_and_deliver(controller: PartitionController, log: FakeLog) -> list[int]:
    batch = (await controller.poll(log))[TOPIC_PARTITION]
    await controller.on_batch(tuple(batch))
    return [record.offset for record in batch]


async def test_next_batch_is_prepared_during_the_current_one() -> None:
    ready: list[int] = []

    async def slow(batch: Sequence[IncomingRecord]) -> None:
        await asyncio.sleep(0.01)
        ready.append(len(consumer.prepared))

    consumer = RecordingConsumer(step=slow)
    controller, log = await make_full_batch_controller(consumer)
    assert [await poll_and_deliver(controller, log) for _ in range(3)] == [[0, 1], [2, 3], [4, 5]]
    assert ready == [2, 3, 4]
    assert consumer.attempts == consumer.prepared[:3]
    await controller.release()


async def test_prefetched_batch_follows_the_retry_of_a_failed_batch() -> None:
    tries: list[int] = []

    async def second_try(batch: Sequence[IncomingRecord]) -> None:
        await asyncio.sleep(0.01)
        tries.append(batch[0].offset)
        if tries == [0]:
            raise RuntimeError

    controller, log = await make_full_batch_controller(RecordingConsumer(step=second_try))
    for _ in range(3):
        await poll_and_deliver(controller, log)
    assert tries == [0, 0, 2]
    await controller.release()


async def test_batch_prefetched_before_a_rebalance_is_dropped() -> None:
    async def slow(batch: Sequence[IncomingRecord]) -> None:
        await asyncio.sleep(0.01)

    consumer = RecordingConsumer(step=slow)
    controller, log = await make_full_batch_controller(consumer)
    assert await poll_and_deliver(controller, log) == [0, 1]
    await asyncio.sleep(0)
    await controller.on_partitions_revoked({TOPIC_PARTITION})
    await controller.on_partitions_assigned({TOPIC_PARTITION})
    await poll_and_deliver(controller, log)
    # The client continues at its position: the prefetched batch is not used.
    assert [[record.offset for record in batch] for batch in consumer.attempts] == [[0, 1], [4, 5]]
    await controller.release()


async def test_batch_prefetched_before_the_start_is_known_is_refetched() -> None:
    """A prefetch that ends after an assignment has another position than the start."""
    gate = asyncio.Event()

    async def wait(batch: Sequence[IncomingRecord]) -> None:
        await gate.wait()

    consumer = RecordingConsumer(starts={PARTITION: 40}, step=wait)
    controller, log = await make_full_batch_controller(consumer)
    fetched = await controller.poll(log)
    delivery = asyncio.create_task(controller.on_batch(tuple(fetched[TOPIC_PARTITION])))
    controller._revocation_count += 1  # as if a rebalance ended during the prefetch
    await asyncio.sleep(0.01)
    gate.set()
    await delivery
    await controller.on_partitions_assigned({TOPIC_PARTITION})
    assert await poll_and_deliver(controller, log) == [40, 41]
    await controller.release()


async def test_batch_is_delivered_although_prepare_fails() -> None:
    class Weak(RecordingConsumer):
        async def prepare(self, batch: Sequence[IncomingRecord]) -> None:
            raise RuntimeError

    consumer = Weak()
    controller, log = await make_full_batch_controller(consumer)
    assert await poll_and_deliver(controller, log) == [0, 1]
    assert consumer.numbers == [0, 1]
    await controller.release()
