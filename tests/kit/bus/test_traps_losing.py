"""Traps of the client that lose events: FastStream as in its tutorial loses, our bus does not.

An event counts as lost when it was committed without having been handled.
"""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from faststream import AckPolicy
from faststream.kafka import KafkaMessage

from shared.kit.bus.kafka import Cluster, KafkaBus
from shared.kit.core.bus import IncomingRecord
from tests.kit.bus.conftest import ON_KAFKA
from tests.support import tutorial_consumers as tutorial
from tests.support.consumers import RecordingConsumer, make_records, wait_until

pytestmark = [*ON_KAFKA]
BATCH = {"batch": True, "max_records": 50, "ack_policy": AckPolicy.MANUAL, "apply_types": False}


async def _check_all_delivered(
    kafka: KafkaBus, topic: str, consumer: RecordingConsumer, count: int
) -> None:
    await kafka.subscribe(consumer.config_for(topic, f"{topic}-ours", max_batch_records=50))
    await wait_until(lambda: len(consumer.handled) >= count)
    assert len(consumer.handled) == count


async def _count_lost(cluster: Cluster, topic: str, **options: Any) -> int:
    """Read 100 records in two batches, commit after each as documented; count the lost ones."""
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
    async with tutorial.run_subscriber(cluster, topic, group, handle, **BATCH, **more) as reader:
        await tutorial.wait_until_committed(cluster, group, 100)
    return 100 - handled


async def test_handler_that_raises_loses_its_batch_in_faststream_only(
    cluster: Cluster, kafka: KafkaBus, single_topic: str
) -> None:
    await kafka.send(make_records(single_topic, 100))
    assert await _count_lost(cluster, single_topic, bug=True) == 50

    failures_left = [ValueError("a bug")]

    async def step(_batch: Sequence[IncomingRecord]) -> None:
        if failures_left:
            raise failures_left.pop()

    await _check_all_delivered(kafka, single_topic, RecordingConsumer(step=step), 100)


async def test_one_bad_value_loses_its_batch_in_faststream_only(
    cluster: Cluster, kafka: KafkaBus, single_topic: str
) -> None:
    await tutorial.send_foreign(cluster, single_topic, [b"1"] * 20 + [b"\xff{"] + [b"1"] * 79)

    async def decode(message: KafkaMessage) -> object:
        return [json.loads(record.value) for record in message.raw_message]

    assert await _count_lost(cluster, single_topic, decoder=decode) == 50

    consumer = RecordingConsumer()
    await _check_all_delivered(kafka, single_topic, consumer, 100)
    assert consumer.values[20] == b"\xff{"


async def test_one_null_header_loses_its_batch_in_faststream_only(
    cluster: Cluster, kafka: KafkaBus, single_topic: str
) -> None:
    await tutorial.send_foreign(cluster, single_topic, [b"0"] * 20)
    await tutorial.send_foreign(
        cluster, single_topic, [b"odd"], [("traceparent", None), ("reply_to", b"elsewhere")]
    )
    await tutorial.send_foreign(cluster, single_topic, [b"0"] * 79)
    assert await _count_lost(cluster, single_topic) == 50

    consumer = RecordingConsumer()
    await _check_all_delivered(kafka, single_topic, consumer, 100)
    assert consumer.handled[20].headers == (("traceparent", None), ("reply_to", b"elsewhere"))


async def test_default_ack_policy_commits_before_the_handler(
    cluster: Cluster, kafka: KafkaBus, single_topic: str
) -> None:
    await kafka.send(make_records(single_topic, 10))
    stuck = asyncio.Event()

    async def hang(*_: object) -> None:
        await stuck.wait()

    group = f"{single_topic}-naive"
    options = {"batch": True, "auto_commit_interval_ms": 50, "apply_types": False}
    async with tutorial.run_subscriber(
        cluster, single_topic, group, hang, graceful_timeout=0.01, **options
    ):
        # Committed before they are handled: a crash now would lose them.
        await tutorial.wait_until_committed(cluster, group, 10)

    consumer = RecordingConsumer(step=hang)
    config = consumer.config_for(
        single_topic,
        f"{single_topic}-ours",
        commit_interval_seconds=0.01,
        drain_timeout_seconds=0.01,
    )
    await kafka.subscribe(config)
    await wait_until(lambda: consumer.handling)
    await asyncio.sleep(0.3)
    assert await tutorial.count_committed(cluster, config.group) == 0


async def test_faststream_stop_does_not_wait_for_the_cancelled_batch(
    cluster: Cluster, kafka: KafkaBus, single_topic: str
) -> None:
    """Ours: test_loss.test_batch_cancelled_by_stop_is_redelivered."""
    await kafka.send(make_records(single_topic, 1))
    events: list[str] = []

    async def slow_to_roll_back(*_: object) -> None:
        events.append("begun")
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.5)
            events.append("rolled back")

    options = {"batch": True, "ack_policy": AckPolicy.MANUAL, "apply_types": False}
    handler = slow_to_roll_back
    async with tutorial.run_subscriber(
        cluster, single_topic, single_topic, handler, graceful_timeout=0.01, **options
    ):
        await wait_until(lambda: events)
    assert events == ["begun"]
    await wait_until(lambda: len(events) == 2)
