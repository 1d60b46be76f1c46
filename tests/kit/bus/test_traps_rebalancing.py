"""Traps of consumer groups: rebalances, pauses, static membership, a killed process."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any

import pytest
from aiokafka.errors import CommitFailedError, IllegalStateError
from faststream import AckPolicy

from shared.kit.bus.kafka import Cluster, KafkaBus
from shared.kit.bus.kafka.commits import OffsetCommitter
from shared.kit.core.bus import IncomingRecord, Partition, Redeliver, SubscriptionConfig, Topic
from tests.kit.bus.conftest import ON_KAFKA
from tests.support import tutorial_consumers as tutorial
from tests.support.consumers import RecordingConsumer, make_records, wait_until

pytestmark = [*ON_KAFKA]
FAST_BATCHES = {"heartbeat_interval_ms": 300, "batch": True, "apply_types": False}


@pytest.fixture
async def double_topic(kafka: KafkaBus, name: str) -> str:
    await kafka.ensure_topics([Topic(name, 2)])
    return name


async def test_rebalance_during_a_batch_repeats_it_in_aiokafka(
    cluster: Cluster, kafka: KafkaBus, double_topic: str
) -> None:
    """Ours: test_loss.test_rebalance_waits_for_the_batch_in_progress (0 duplicates)."""
    await kafka.send(make_records(double_topic, 40))
    handled: list[int] = []
    failures: list[BaseException] = []

    async def handle(bodies: Sequence[bytes]) -> None:
        handled.extend(int(body) for body in bodies)
        if first_batch:
            first_batch.pop()
            joined.set()
            await asyncio.sleep(1.5)
        for running in subscribers:
            try:
                await running.consumer.commit()
            except IllegalStateError as error:
                failures.append(error)

    first_batch, joined, subscribers = [True], asyncio.Event(), list[tutorial.RunningSubscriber]()
    options = {**FAST_BATCHES, "ack_policy": AckPolicy.MANUAL}
    async with tutorial.run_subscriber(
        cluster, double_topic, double_topic, handle, **options
    ) as subscriber:
        subscribers.append(subscriber)
        await joined.wait()
        async with tutorial.run_subscriber(cluster, double_topic, double_topic, handle, **options):
            await wait_until(lambda: set(handled) == set(range(40)))
            await wait_until(lambda: len(handled) > 40)


async def test_aiokafka_forgets_a_pause_at_a_rebalance(
    cluster: Cluster, kafka: KafkaBus, double_topic: str
) -> None:
    first, second = (
        tutorial.make_consumer(cluster, double_topic, group=f"{double_topic}-naive")
        for _ in range(2)
    )
    await first.start()
    first.pause(*first.assignment())
    assert len(first.paused()) == 2
    await second.start()
    await wait_until(lambda: len(first.assignment()) == 1)
    assert not first.paused()
    await second.stop()
    await first.stop()

    async def fail(_batch: Sequence[IncomingRecord]) -> None:
        raise Redeliver(60, "not for a long time")

    await kafka.send(make_records(double_topic, 20))
    first_consumer, second_consumer = RecordingConsumer(step=fail), RecordingConsumer(step=fail)
    subscription: Any = await kafka.subscribe(
        first_consumer.config_for(double_topic, f"{double_topic}-ours")
    )
    await wait_until(
        lambda: (
            len({record.partition for batch in first_consumer.attempts for record in batch}) == 2
        )
    )
    await kafka.subscribe(second_consumer.config_for(double_topic, f"{double_topic}-ours"))
    await wait_until(lambda: len(first_consumer.owned) == 1)
    assert len(subscription._subscriber.consumer.paused()) == 1


@pytest.mark.parametrize("instance", ["", "stable-name"])
async def test_consumer_killed_during_a_batch_loses_nothing(
    cluster: Cluster, kafka: KafkaBus, double_topic: str, tmp_path: Path, instance: str
) -> None:
    """Static membership resumes at once, else after the session timeout."""
    await kafka.send(make_records(double_topic, 600))
    effect = tmp_path / "effect"
    effect.touch()
    # SIGKILL: the process cannot leave the group.
    process = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-m",
            "tests.support.killed_consumer",
            double_topic,
            instance,
            str(effect),
        ),
        env={"PATH": os.environ["PATH"], **tutorial.cluster_environment(cluster)},
    )
    await wait_until(lambda: effect.stat().st_size > 200)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    done_before = {int(line) for line in effect.read_text().split("\n")[:-1]}
    assert 0 < len(done_before) < 600

    successor = RecordingConsumer()
    started_at = monotonic()
    await kafka.subscribe(
        SubscriptionConfig(
            double_topic, (double_topic,), successor, instance or None, session_timeout_seconds=6.0
        )
    )
    waited = monotonic() - started_at
    await wait_until(lambda: done_before | set(successor.numbers) == set(range(600)))
    assert waited < 3 if instance else waited > 3


async def test_failed_commit_is_logged_and_retried(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its offsets are part of the next commit; the consumer deduplicates meanwhile."""

    class Client:
        def __init__(self) -> None:
            self.committed: list[Mapping[object, int]] = []

        async def commit(self, offsets: Mapping[object, int]) -> None:
            self.committed.append(offsets)
            if len(self.committed) == 1:
                raise CommitFailedError("not now")

    client, committer = Client(), OffsetCommitter("group", 0.0)
    committer.attach(client)
    caplog.set_level("INFO")
    committer.add({Partition("t", 0): 5})
    committer.commit_if_due()
    await wait_until(lambda: committer._task is not None and committer._task.done())
    assert "not committed" in caplog.text
    committer.add({Partition("t", 1): 7})
    await committer.flush()
    assert client.committed[1] == {
        tutorial.topic_partition("t", 0): 5,
        tutorial.topic_partition("t", 1): 7,
    }


async def test_faststream_sleeps_after_an_empty_poll(
    cluster: Cluster, kafka: KafkaBus, single_topic: str
) -> None:
    """A record that arrives during FastStream's sleep of 200 ms waits; ours ends the wait."""
    delays: dict[str, list[float]] = {"naive": [], "ours": []}

    async def send_now_and_then(label: str) -> float:
        for number in range(5):
            # After 200 ms of polling FastStream sleeps.
            await asyncio.sleep(0.3)
            await kafka.send(make_records(single_topic, 1, first=int(monotonic() * 1e6)))
            await wait_until(partial(delays[label].__getitem__, slice(number, None)))
        return median(delays[label])

    async def handle_in_tutorial(bodies: Sequence[bytes]) -> None:
        delays["naive"].extend(monotonic() - int(body) / 1e6 for body in bodies)

    async def handle_in_ours(batch: Sequence[IncomingRecord]) -> None:
        delays["ours"].extend(monotonic() - int(record.value or b"") / 1e6 for record in batch)

    options = {"batch": True, "ack_policy": AckPolicy.MANUAL, "apply_types": False}
    async with tutorial.run_subscriber(
        cluster, single_topic, f"{single_topic}-naive", handle_in_tutorial, **options
    ):
        naive_median = await send_now_and_then("naive")
    starts = {Partition(single_topic, 0): 5}
    await kafka.subscribe(
        RecordingConsumer(step=handle_in_ours, starts=starts).config_for(
            single_topic, f"{single_topic}-ours"
        )
    )
    assert await send_now_and_then("ours") < naive_median
