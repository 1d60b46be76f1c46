"""Events with repeated transient failures or slow effects are parked; an outage parks none."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import pytest

from shared.contracts.event import Fact
from shared.contracts.identity import MemberSuspended
from shared.kit.core.bus import Redeliver
from shared.kit.core.reactions import BoundReaction
from shared.kit.core.unit_of_work import Delivery, Unit
from shared.kit.database.database import connection
from shared.kit.telemetry.noop import NoTelemetry
from tests.support.failing_effects import (
    HOLD_SECONDS,
    RETRY_LIMITS,
    FailingEffect,
    UnavailableDatabase,
    all_partitions,
    cancel_process,
    exceed_hold_time,
    publish_in_one_partition,
    raise_connection_error,
)
from tests.support.inbox_harness import InboxHarness, members_in_partition

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


class SlowEffectTelemetry(NoTelemetry):
    """Records the slow effects."""

    def __init__(self) -> None:
        self.slow: Counter[tuple[str, str]] = Counter()

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        if name == "preau.consumer.slow_effect":
            self.slow[labels["group"], labels["reaction"]] += int(amount)


async def test_event_with_repeated_transient_failures_is_parked(
    harness: InboxHarness,
) -> None:
    failing_effect = FailingEffect(harness, raise_connection_error)
    publish_in_one_partition(harness, ["trouble"])

    counts = await failing_effect.consume(failing_effect.make_consumer())

    assert (counts.parked, counts.lag) == (1, 0)
    assert failing_effect.attempts["trouble"] == 1 + RETRY_LIMITS.max_attempts
    (letter,) = await harness.list_dead_letters(all_states=True)
    assert letter.cause == "GivenUp: tried alone 3 times, and no attempt was committed"


async def test_failing_event_is_isolated_and_blocks_its_key(harness: InboxHarness) -> None:
    failing_effect = FailingEffect(harness, raise_connection_error)
    publish_in_one_partition(harness, [*"abcdefgh", "trouble", *"ijkl"])
    harness.publish("derrière", member=members_in_partition(0, 9)[8])

    counts = await failing_effect.consume(failing_effect.make_consumer())

    assert (counts.applied, counts.parked, counts.lag) == (12, 2, 0)


async def test_event_parked_by_limits_is_retried(harness: InboxHarness) -> None:
    failing_effect = FailingEffect(harness, raise_connection_error)
    publish_in_one_partition(harness, ["trouble"])
    consumer = failing_effect.make_consumer()
    await failing_effect.consume(consumer)
    failing_effect.fixed = True

    assert (await harness.retry_parked(consumer)).applied == 1


async def test_database_outage_parks_nothing(harness: InboxHarness) -> None:
    failing_effect = FailingEffect(harness, raise_connection_error)
    failing_effect.fixed = True
    publish_in_one_partition(harness, ["trouble", "a"])
    consumer = failing_effect.make_consumer()
    starts = await consumer.on_assigned(all_partitions())
    batch = await harness.fetch_from(starts)
    unavailable_database = UnavailableDatabase(consumer.database)
    consumer.database = unavailable_database  # type: ignore[assignment]  # it has the methods that a consumer uses

    for _ in range(30):
        with pytest.raises(Redeliver):
            await consumer.handle(batch)
    unavailable_database.available = True
    counts = await failing_effect.consume(consumer)

    assert (counts.applied, counts.parked, counts.lag) == (2, 0, 0)


async def test_slow_event_is_parked_after_two_attempts(
    harness: InboxHarness,
) -> None:
    failing_effect = FailingEffect(harness, exceed_hold_time)
    publish_in_one_partition(harness, [*"abcdefgh", "trouble", *"ijkl"])

    counts = await failing_effect.consume(failing_effect.make_consumer())

    assert (counts.applied, counts.parked, counts.lag) == (12, 1, 0)
    assert failing_effect.attempts["trouble"] == 2
    (letter,) = await harness.list_dead_letters(all_states=True)
    assert letter.cause is not None
    assert letter.cause.startswith("GivenUp: too slow: 0.")


async def test_transaction_timeout_during_computation_counts_as_own_slowness(
    harness: InboxHarness,
) -> None:
    failing_effect = FailingEffect(harness, lambda _: time.sleep(0))

    async def compute(unit: Unit, deliveries: Sequence[Delivery[Fact]]) -> None:
        failing_effect.attempts["trouble"] += len(deliveries)
        driver_connection = connection(unit)
        await driver_connection.exec_driver_sql(
            "SET LOCAL idle_in_transaction_session_timeout = '50ms'"
        )
        until = time.thread_time() + 2 * HOLD_SECONDS
        while time.thread_time() < until:
            sum(range(1000))
        await driver_connection.exec_driver_sql("SELECT 1")

    consumer = failing_effect.make_consumer()
    consumer.reactions = [BoundReaction("compute", compute, (MemberSuspended,))]
    publish_in_one_partition(harness, ["trouble"])

    counts = await failing_effect.consume(consumer)

    assert (counts.parked, counts.lag, failing_effect.attempts["trouble"]) == (1, 0, 1)


async def test_event_that_ends_each_process_is_parked(
    harness: InboxHarness,
) -> None:
    failing_effect = FailingEffect(harness, cancel_process)
    publish_in_one_partition(harness, [*"abcdefgh", "trouble", *"ijkl"])
    processes = 0

    while (await harness.check_counts(failing_effect.make_consumer())).lag and processes < 20:
        processes += 1
        with suppress(asyncio.CancelledError):
            await failing_effect.consume(failing_effect.make_consumer())

    counts = await harness.check_counts(failing_effect.make_consumer())
    assert (counts.applied, counts.parked, counts.lag) == (12, 1, 0)
    assert failing_effect.attempts["trouble"] == RETRY_LIMITS.max_starts + RETRY_LIMITS.max_attempts


async def test_frequent_starts_with_progress_isolate_nothing(
    harness: InboxHarness,
) -> None:
    failing_effect = FailingEffect(harness, raise_connection_error)
    for number in range(6):
        publish_in_one_partition(harness, ["a", "b"])
        consumer = failing_effect.make_consumer()
        await failing_effect.consume(consumer)
        (row,) = await harness.query(
            "SELECT max(starts) AS starts, max(tries) AS tries FROM positions"
        )
        assert (row["starts"], row["tries"]) == (0, 0), number


async def test_only_slow_effects_are_counted(harness: InboxHarness) -> None:
    failing_effect = FailingEffect(harness, lambda _: None)
    consumer, telemetry = failing_effect.make_consumer(), SlowEffectTelemetry()
    consumer.telemetry = telemetry
    publish_in_one_partition(harness, ["a"])
    await failing_effect.consume(consumer)
    assert telemetry.slow == {}
    consumer.retry_limits = replace(RETRY_LIMITS, slow_effect_seconds=0.0)
    publish_in_one_partition(harness, ["b"])
    await failing_effect.consume(consumer)

    assert telemetry.slow == {("probe", "trouble"): 1}
