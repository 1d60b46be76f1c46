"""Traps of the client that lose events: what the naive way does, and that ours does not.

The naive way counts as losing what it committed without having handled it.
"""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest
from faststream import AckPolicy
from faststream.kafka import KafkaMessage
from faststream.kafka.annotations import KafkaMessage as Injected

from shared.kit.bus.kafka import Cluster, KafkaBus
from shared.kit.core.bus import IncomingRecord
from tests.kit.bus.conftest import ON_KAFKA
from tests.support import tutorial_consumers as naive
from tests.support.consumers import RecordingConsumer, make_records, wait_until

pytestmark = [*ON_KAFKA]
BATCH = {"batch": True, "max_records": 50, "ack_policy": AckPolicy.MANUAL, "apply_types": False}


async def _everything_arrives(
    ours: KafkaBus, topic: str, reader: RecordingConsumer, count: int
) -> None:
    await ours.subscribe(reader.config_for(topic, f"{topic}-ours", max_batch_records=50))
    await wait_until(lambda: len(reader.handled) >= count)
    assert len(reader.handled) == count


async def _lost(cluster: Cluster, topic: str, **options: Any) -> int:
    """Read 100 records in two batches, committing after each as one is told to; count the loss."""
    group, handled = f"{topic}-naive", 0

    async def handle(bodies: Sequence[object]) -> None:
        nonlocal handled
        if options.get("bug") and not handled and not failed:
            failed.append(True)
            raise ValueError("a bug")
        handled += len(bodies)
        await reader.consumer.commit()

    failed: list[bool] = []
    more = {name: value for name, value in options.items() if name != "bug"}
    async with naive.run_subscriber(cluster, topic, group, handle, **BATCH, **more) as reader:
        await naive.wait_until_committed(cluster, group, 100)
    return 100 - handled


async def test_a_handler_that_raises_loses_its_batch(
    cluster: Cluster, ours: KafkaBus, single: str
) -> None:
    await ours.send(make_records(single, 100))
    assert await _lost(cluster, single, bug=True) == 50

    failures = [ValueError("a bug")]

    async def step(_batch: Sequence[IncomingRecord]) -> None:
        if failures:
            raise failures.pop()

    await _everything_arrives(ours, single, RecordingConsumer(step=step), 100)


async def test_one_bad_value_loses_its_whole_batch(
    cluster: Cluster, ours: KafkaBus, single: str
) -> None:
    await naive.send_foreign(cluster, single, [b"1"] * 20 + [b"\xff{"] + [b"1"] * 79)

    async def decode(message: KafkaMessage) -> object:
        return [json.loads(record.value) for record in message.raw_message]

    assert await _lost(cluster, single, decoder=decode) == 50

    reader = RecordingConsumer()
    await _everything_arrives(ours, single, reader, 100)
    assert reader.values[20] == b"\xff{"


async def test_one_null_header_loses_its_whole_batch(
    cluster: Cluster, ours: KafkaBus, single: str
) -> None:
    await naive.send_foreign(cluster, single, [b"0"] * 20)
    await naive.send_foreign(
        cluster, single, [b"odd"], [("traceparent", None), ("reply_to", b"elsewhere")]
    )
    await naive.send_foreign(cluster, single, [b"0"] * 79)
    assert await _lost(cluster, single) == 50

    reader = RecordingConsumer()
    await _everything_arrives(ours, single, reader, 100)
    assert reader.handled[20].headers == (("traceparent", None), ("reply_to", b"elsewhere"))


async def test_the_default_acknowledges_first_so_a_crash_loses(
    cluster: Cluster, ours: KafkaBus, single: str
) -> None:
    await ours.send(make_records(single, 10))
    stuck = asyncio.Event()

    async def hang(*_: object) -> None:
        await stuck.wait()

    group = f"{single}-naive"
    options = {"batch": True, "auto_commit_interval_ms": 50, "apply_types": False}
    async with naive.run_subscriber(cluster, single, group, hang, graceful_timeout=0.01, **options):
        # Committed while nothing is handled: a crash now would lose them.
        await naive.wait_until_committed(cluster, group, 10)

    reader = RecordingConsumer(step=hang)
    reading = reader.config_for(
        single, f"{single}-ours", commit_interval_seconds=0.01, drain_timeout_seconds=0.01
    )
    await ours.subscribe(reading)
    await wait_until(lambda: reader.handling)
    await asyncio.sleep(0.3)
    assert await naive.count_committed(cluster, reading.group) == 0


@pytest.mark.parametrize("policy", [AckPolicy.ACK, AckPolicy.REJECT_ON_ERROR])
@pytest.mark.filterwarnings("ignore:AckPolicy.REJECT_ON_ERROR has the same effect:UserWarning")
async def test_ack_and_reject_on_error_commit_after_an_exception(
    cluster: Cluster, ours: KafkaBus, single: str, policy: AckPolicy
) -> None:
    await ours.send(make_records(single, 10))

    async def fail(*_: object) -> None:
        raise ValueError("a bug")

    group = f"{single}-naive"
    options = {"batch": True, "ack_policy": policy, "apply_types": False}
    async with naive.run_subscriber(cluster, single, group, fail, **options):
        await naive.wait_until_committed(cluster, group, 10)

    reading = RecordingConsumer(step=fail).config_for(
        single, f"{single}-ours", commit_interval_seconds=0.01
    )
    subscription = await ours.subscribe(reading)
    await asyncio.sleep(0.1)
    await subscription.stop()
    assert await naive.count_committed(cluster, reading.group) == 0


async def test_nack_on_error_repeats_a_poison_record_hot(
    cluster: Cluster, ours: KafkaBus, single: str
) -> None:
    await ours.send(make_records(single, 1))
    tries = {"naive": 0, "ours": 0}

    async def fail(*_: object) -> None:
        tries[who] += 1
        raise ValueError("a bug")

    who = "naive"
    options = {"batch": True, "ack_policy": AckPolicy.NACK_ON_ERROR, "apply_types": False}
    async with naive.run_subscriber(cluster, single, f"{single}-naive", fail, **options):
        await wait_until(lambda: tries["naive"] > 20)

    who = "ours"
    await ours.subscribe(RecordingConsumer(step=fail).config_for(single, f"{single}-ours"))
    await wait_until(lambda: tries["ours"])
    await asyncio.sleep(0.5)
    assert tries["ours"] == 1, "it waits a second, and so does its partition only"


async def test_an_ack_commits_everything_before_it(
    cluster: Cluster, ours: KafkaBus, single: str
) -> None:
    """Ours: test_loss.test_a_failed_batch_is_not_committed_by_the_next_success."""
    await ours.send(make_records(single, 2))

    async def skip_the_first(message: Injected) -> None:
        assert not isinstance(message.raw_message, tuple)
        if message.raw_message.offset > 0:
            await message.ack()

    group = f"{single}-naive"
    policy = AckPolicy.MANUAL
    async with naive.run_subscriber(cluster, single, group, skip_the_first, ack_policy=policy):
        await naive.wait_until_committed(cluster, group, 2)


async def test_a_stop_leaves_its_cancelled_batch_running(
    cluster: Cluster, ours: KafkaBus, single: str
) -> None:
    """Ours: test_loss.test_a_batch_cancelled_by_stop_comes_again."""
    await ours.send(make_records(single, 1))
    story: list[str] = []

    async def slow_to_roll_back(*_: object) -> None:
        story.append("begun")
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.5)
            story.append("rolled back")

    options = {"batch": True, "ack_policy": AckPolicy.MANUAL, "apply_types": False}
    handler = slow_to_roll_back
    async with naive.run_subscriber(
        cluster, single, single, handler, graceful_timeout=0.01, **options
    ):
        await wait_until(lambda: story)
    assert story == ["begun"]
    await wait_until(lambda: len(story) == 2)
