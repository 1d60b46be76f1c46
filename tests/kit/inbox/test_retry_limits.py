"""An event that fails by what may pass or makes us slow is parked; an outage parks nothing."""

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


class Effects(NoTelemetry):
    """Keeps which effects were slow."""

    def __init__(self) -> None:
        self.slow: Counter[tuple[str, str]] = Counter()

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        if name == "preau.consumer.slow_effect":
            self.slow[labels["group"], labels["reaction"]] += int(amount)


async def test_event_with_repeated_transient_failures_is_parked(
    probe: InboxHarness,
) -> None:
    trouble = FailingEffect(probe, raise_connection_error)
    publish_in_one_partition(probe, ["trouble"])

    found = await trouble.consume(trouble.make_consumer())

    assert (found.parked, found.lag) == (1, 0)
    assert trouble.attempts["trouble"] == 1 + RETRY_LIMITS.max_attempts
    (letter,) = await probe.list_dead_letters(everything=True)
    assert letter.cause == "GivenUp: tried alone 3 times, and no attempt came to an end"


async def test_failing_event_is_isolated_and_blocks_its_key(probe: InboxHarness) -> None:
    trouble = FailingEffect(probe, raise_connection_error)
    publish_in_one_partition(probe, [*"abcdefgh", "trouble", *"ijkl"])
    probe.publish("derrière", member=members_in_partition(0, 9)[8])

    found = await trouble.consume(trouble.make_consumer())

    assert (found.applied, found.parked, found.lag) == (12, 2, 0)


async def test_event_parked_by_limits_is_retried(probe: InboxHarness) -> None:
    trouble = FailingEffect(probe, raise_connection_error)
    publish_in_one_partition(probe, ["trouble"])
    reader = trouble.make_consumer()
    await trouble.consume(reader)
    trouble.fixed = True

    assert (await probe.retry_parked(reader)).applied == 1


async def test_database_outage_parks_nothing(probe: InboxHarness) -> None:
    trouble = FailingEffect(probe, raise_connection_error)
    trouble.fixed = True
    publish_in_one_partition(probe, ["trouble", "a"])
    reader = trouble.make_consumer()
    starts = await reader.on_assigned(all_partitions())
    batch = await probe.fetch_from(starts)
    away = UnavailableDatabase(reader.database)
    reader.database = away  # type: ignore[assignment]  # it has what a reader uses

    for _ in range(30):
        with pytest.raises(Redeliver):
            await reader.handle(batch)
    away.available = True
    found = await trouble.consume(reader)

    assert (found.applied, found.parked, found.lag) == (2, 0, 0)


async def test_slow_event_is_parked_after_two_attempts(
    probe: InboxHarness,
) -> None:
    trouble = FailingEffect(probe, exceed_hold_time)
    publish_in_one_partition(probe, [*"abcdefgh", "trouble", *"ijkl"])

    found = await trouble.consume(trouble.make_consumer())

    assert (found.applied, found.parked, found.lag) == (12, 1, 0)
    assert trouble.attempts["trouble"] == 2
    (letter,) = await probe.list_dead_letters(everything=True)
    assert letter.cause is not None
    assert letter.cause.startswith("GivenUp: too slow: 0.")


async def test_transaction_timeout_during_computation_counts_as_own_slowness(
    probe: InboxHarness,
) -> None:
    trouble = FailingEffect(probe, lambda _: time.sleep(0))

    async def compute(unit: Unit, deliveries: Sequence[Delivery[Fact]]) -> None:
        trouble.attempts["trouble"] += len(deliveries)
        opened = connection(unit)
        await opened.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = '50ms'")
        until = time.thread_time() + 2 * HOLD_SECONDS
        while time.thread_time() < until:
            sum(range(1000))
        await opened.exec_driver_sql("SELECT 1")

    reader = trouble.make_consumer()
    reader.reactions = [BoundReaction("compute", compute, (MemberSuspended,))]
    publish_in_one_partition(probe, ["trouble"])

    found = await trouble.consume(reader)

    assert (found.parked, found.lag, trouble.attempts["trouble"]) == (1, 0, 1)


async def test_event_that_ends_each_process_is_parked(
    probe: InboxHarness,
) -> None:
    trouble = FailingEffect(probe, cancel_process)
    publish_in_one_partition(probe, [*"abcdefgh", "trouble", *"ijkl"])
    processes = 0

    while (await probe.check_counts(trouble.make_consumer())).lag and processes < 20:
        processes += 1
        with suppress(asyncio.CancelledError):
            await trouble.consume(trouble.make_consumer())

    found = await probe.check_counts(trouble.make_consumer())
    assert (found.applied, found.parked, found.lag) == (12, 1, 0)
    assert trouble.attempts["trouble"] == RETRY_LIMITS.max_starts + RETRY_LIMITS.max_attempts


async def test_frequent_starts_with_progress_isolate_nothing(
    probe: InboxHarness,
) -> None:
    trouble = FailingEffect(probe, raise_connection_error)
    for number in range(6):
        publish_in_one_partition(probe, ["a", "b"])
        reader = trouble.make_consumer()
        await trouble.consume(reader)
        (row,) = await probe.query(
            "SELECT max(starts) AS starts, max(tries) AS tries FROM positions"
        )
        assert (row["starts"], row["tries"]) == (0, 0), number


async def test_only_slow_effects_are_counted(probe: InboxHarness) -> None:
    trouble = FailingEffect(probe, lambda _: None)
    reader, telemetry = trouble.make_consumer(), Effects()
    reader.telemetry = telemetry
    publish_in_one_partition(probe, ["a"])
    await trouble.consume(reader)
    assert telemetry.slow == {}
    reader.retry_limits = replace(RETRY_LIMITS, slow_effect_seconds=0.0)
    publish_in_one_partition(probe, ["b"])
    await trouble.consume(reader)

    assert telemetry.slow == {("probe", "trouble"): 1}
