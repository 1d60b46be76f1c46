"""Traps around groups: rebalances, pauses, membership, a process that is killed."""

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
from tests.support import tutorial_consumers as naive
from tests.support.consumers import RecordingConsumer, make_records, wait_until

pytestmark = [*ON_KAFKA]
QUICK = {"heartbeat_interval_ms": 300, "batch": True, "apply_types": False}


@pytest.fixture
async def double(ours: KafkaBus, name: str) -> str:
    await ours.ensure_topics([Topic(name, 2)])
    return name


async def test_a_rebalance_in_the_middle_of_a_batch_repeats_it(
    cluster: Cluster, ours: KafkaBus, double: str
) -> None:
    """Ours: test_loss.test_a_rebalance_waits_for_the_batch_in_hand (0 duplicates)."""
    await ours.send(make_records(double, 40))
    handled: list[int] = []
    failures: list[BaseException] = []

    async def handle(bodies: Sequence[bytes]) -> None:
        handled.extend(int(body) for body in bodies)
        if first:
            first.pop()
            joined.set()
            await asyncio.sleep(1.5)
        for reader in readers:
            try:
                await reader.consumer.commit()
            except IllegalStateError as error:
                failures.append(error)

    first, joined, readers = [True], asyncio.Event(), list[naive.RunningSubscriber]()
    options = {**QUICK, "ack_policy": AckPolicy.MANUAL}
    async with naive.run_subscriber(cluster, double, double, handle, **options) as one:
        readers.append(one)
        await joined.wait()
        async with naive.run_subscriber(cluster, double, double, handle, **options):
            await wait_until(lambda: set(handled) == set(range(40)))
            await wait_until(lambda: len(handled) > 40)


async def test_a_pause_is_forgotten_with_a_rebalance(
    cluster: Cluster, ours: KafkaBus, double: str
) -> None:
    first, second = (
        naive.make_consumer(cluster, double, group=f"{double}-naive") for _ in range(2)
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

    await ours.send(make_records(double, 20))
    one, two = RecordingConsumer(step=fail), RecordingConsumer(step=fail)
    subscription: Any = await ours.subscribe(one.config_for(double, f"{double}-ours"))
    await wait_until(
        lambda: len({record.partition for batch in one.attempts for record in batch}) == 2
    )
    await ours.subscribe(two.config_for(double, f"{double}-ours"))
    await wait_until(lambda: len(one.owned) == 1)
    assert len(subscription._subscriber.consumer.paused()) == 1


@pytest.mark.parametrize("instance", ["", "stable-name"])
async def test_a_reader_killed_in_the_middle_of_a_batch_loses_nothing(
    cluster: Cluster, ours: KafkaBus, double: str, tmp_path: Path, instance: str
) -> None:
    """Kill -9. With a stable name its successor goes on at once, else after the session's end."""
    await ours.send(make_records(double, 600))
    effect = tmp_path / "effect"
    effect.touch()
    # Its own session: only this process is killed, and it has no chance to say good-bye.
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.killed_consumer", double, instance, str(effect)),
        env={"PATH": os.environ["PATH"], **naive.cluster_environment(cluster)},
    )
    await wait_until(lambda: effect.stat().st_size > 200)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    done_before = {int(line) for line in effect.read_text().split("\n")[:-1]}
    assert 0 < len(done_before) < 600

    successor = RecordingConsumer()
    begun = monotonic()
    await ours.subscribe(
        SubscriptionConfig(
            double, (double,), successor, instance or None, session_timeout_seconds=6.0
        )
    )
    waited = monotonic() - begun
    await wait_until(lambda: done_before | set(successor.numbers) == set(range(600)))
    assert waited < 3 if instance else waited > 3


async def test_a_failed_commit_is_only_a_line_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Ours goes into the next one; what is repeated meanwhile is absorbed by the reader."""

    class Client:
        def __init__(self) -> None:
            self.committed: list[Mapping[object, int]] = []

        async def commit(self, offsets: Mapping[object, int]) -> None:
            self.committed.append(offsets)
            if len(self.committed) == 1:
                raise CommitFailedError("not now")

    client, commits = Client(), OffsetCommitter("group", 0.0)
    commits.attach(client)
    caplog.set_level("INFO")
    commits.add({Partition("t", 0): 5})
    commits.commit_if_due()
    await wait_until(lambda: commits._task is not None and commits._task.done())
    assert "not committed" in caplog.text
    commits.add({Partition("t", 1): 7})
    await commits.flush()
    assert client.committed[1] == {
        naive.topic_partition("t", 0): 5,
        naive.topic_partition("t", 1): 7,
    }


async def test_concurrent_workers_break_the_order_of_a_key(
    cluster: Cluster, ours: KafkaBus, single: str
) -> None:
    await ours.send(make_records(single, 40, key="k"))
    done: list[int] = []

    async def slow_at_first(body: bytes) -> None:
        await asyncio.sleep(0.05 if int(body) % 4 == 0 else 0)
        done.append(int(body))

    options = {"max_workers": 4, "apply_types": False}
    async with naive.run_subscriber(cluster, single, f"{single}-naive", slow_at_first, **options):
        await wait_until(lambda: len(done) == 40)
    assert done != sorted(done)

    async def slow(batch: Sequence[IncomingRecord]) -> None:
        await asyncio.sleep(0.01)

    reader = RecordingConsumer(step=slow)
    await ours.subscribe(reader.config_for(single, f"{single}-ours", max_batch_records=3))
    await wait_until(lambda: len(reader.handled) == 40)
    assert reader.in_order()


async def test_the_empty_poll_is_slept_again(cluster: Cluster, ours: KafkaBus, single: str) -> None:
    """What comes in FastStream's nap of 200 ms waits for its end; ours are woken by the record."""
    late: dict[str, list[float]] = {"naive": [], "ours": []}

    async def send_now_and_then(who: str) -> float:
        for number in range(5):
            # Since the last one: 200 ms of polling, and now it naps.
            await asyncio.sleep(0.3)
            await ours.send(make_records(single, 1, first=int(monotonic() * 1e6)))
            await wait_until(partial(late[who].__getitem__, slice(number, None)))
        return median(late[who])

    async def naive_one(bodies: Sequence[bytes]) -> None:
        late["naive"].extend(monotonic() - int(body) / 1e6 for body in bodies)

    async def our_one(batch: Sequence[IncomingRecord]) -> None:
        late["ours"].extend(monotonic() - int(record.value or b"") / 1e6 for record in batch)

    options = {"batch": True, "ack_policy": AckPolicy.MANUAL, "apply_types": False}
    async with naive.run_subscriber(cluster, single, f"{single}-naive", naive_one, **options):
        naive_median = await send_now_and_then("naive")
    start = {Partition(single, 0): 5}
    await ours.subscribe(
        RecordingConsumer(step=our_one, starts=start).config_for(single, f"{single}-ours")
    )
    assert await send_now_and_then("ours") < naive_median
