"""The rules of reading, one by one and without a broker: what a race would meet too seldom."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaConnectionError

from shared.kit.bus.kafka.rules import Polled, Rules
from shared.kit.bus.port import Incoming, Partition, Reading
from tests.kit.bus.readers import Recorder

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


async def nothing(*, timeout_ms: int) -> Polled:
    return {}


def records(*offsets: int) -> tuple[ConsumerRecord, ...]:
    return tuple(
        ConsumerRecord("posts", 0, offset, 0, 0, b"k", b"%d" % offset, None, 1, 1, ())
        for offset in offsets
    )


def rules_of(consumer: Recorder) -> tuple[Rules, Client]:
    rules, client = Rules(Reading("group", ("posts",), consumer, commit_every=0)), Client()
    rules.attach(client)
    return rules, client


async def test_a_new_partition_is_held_back_until_its_start_is_known() -> None:
    rules, client = rules_of(Recorder(starts={PLACE: 7}))
    await rules.on_partitions_assigned({THEIRS})
    assert client.paused == {THEIRS}
    await rules.poll(nothing)
    assert not client.paused
    assert client.sought == [7]


async def test_what_was_fetched_before_the_start_was_known_is_not_skipped() -> None:
    """Between the assignment and our pause a client may fetch, and moves its position by it."""
    reader = Recorder()
    rules, client = rules_of(reader)
    await rules.on_partitions_assigned({THEIRS})
    await rules.on_batch(records(3, 4))
    assert not reader.tried
    assert client.sought == [3]


async def test_what_was_fetched_before_a_rebalance_is_left_to_the_new_owner() -> None:
    """Where the partition comes back at once, its start is asked again; nothing seeks over it."""
    reader = Recorder()
    rules, client = rules_of(reader)
    await rules.on_partitions_assigned({THEIRS})
    await rules.poll(nothing)
    await rules.on_partitions_revoked({THEIRS})
    await rules.on_partitions_assigned({THEIRS})
    await rules.on_batch(records(3, 4))
    assert not reader.tried
    assert not client.sought


async def test_what_was_answered_is_committed_and_nothing_else() -> None:
    elsewhere = Partition("posts", 1)

    async def half(batch: Sequence[Incoming]) -> Mapping[Partition, int]:
        return {PLACE: batch[0].offset + 1, elsewhere: 99}

    rules, client = rules_of(Recorder(step=half))
    await rules.on_partitions_assigned({THEIRS})
    await rules.poll(nothing)
    await rules.on_batch(records(3, 4))
    await rules.give_up()
    assert client.committed == [{THEIRS: 4}]
    assert client.sought == [4]


async def test_an_answer_that_is_none_loses_no_batch() -> None:
    """Whatever goes wrong after the consumer has spoken, FastStream would swallow it."""

    class Wrong(Recorder):
        async def handle(self, batch: Sequence[Incoming]) -> Mapping[Partition, int]:
            return None  # type: ignore[return-value]  # as a handler without mypy would

    rules, client = rules_of(Wrong())
    await rules.on_partitions_assigned({THEIRS})
    await rules.poll(nothing)
    await rules.on_batch(records(3, 4))
    assert client.sought == [3]
    assert client.paused == {THEIRS}


async def test_a_reader_whose_broker_is_away_is_alive_and_has_not_polled() -> None:
    """Starting it anew would not bring the broker back."""

    async def away(*, timeout_ms: int) -> Polled:
        raise KafkaConnectionError

    rules = Rules(Reading("group", ("posts",), Recorder(), poll_limit=0.7))
    rules.attach(Client())
    await rules.on_partitions_assigned(set())
    before = rules.last_poll_age
    for _ in range(2):
        await rules.poll(away)
    assert rules.in_time()
    assert rules.last_poll_age > before + 1


async def test_a_reader_that_hangs_is_not_alive() -> None:
    rules = Rules(Reading("group", ("posts",), Recorder(), poll_limit=0.05))
    rules.attach(Client())
    await rules.on_partitions_assigned(set())
    assert rules.in_time()
    await asyncio.sleep(0.1)
    assert not rules.in_time()
