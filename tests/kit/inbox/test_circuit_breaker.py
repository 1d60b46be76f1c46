"""A faulty deployment must not move the whole log to dead letters: the circuit opens."""

import logging

import pytest

from shared.kit.core.bus import Partition, Redeliver
from shared.kit.inbox.circuit_breaker import CircuitOpen, open_circuit
from shared.kit.inbox.consumer import BatchConsumer
from shared.kit.inbox.report import GroupCounts
from shared.kit.inbox.thresholds import FailureThreshold
from tests.support.inbox_harness import GROUP, NOON, TOPIC, InboxHarness, members_in_partition

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


async def test_batch_of_failures_opens_circuit_and_parks_nothing(
    harness: InboxHarness, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(30):
        harness.publish(f"poison {number}", member=number)

    counts = await _consume_until_open(harness)

    assert (counts.lag, counts.parked, counts.dead_lettered) == (30, 0, 0)
    assert counts.circuit.cause == "30 of 30 events failed: 30 × RuntimeError: cannot digest …"
    assert counts.circuit.since == NOON
    (log_record,) = [
        r for r in caplog.records if r.name == "preau.halts" and r.levelno == logging.ERROR
    ]
    assert "30 × RuntimeError" in str(log_record.__dict__)
    assert await harness.query("SELECT 1 FROM inbox") == []


async def test_circuit_stays_open_until_an_attempt_succeeds(harness: InboxHarness) -> None:
    for number in range(30):
        harness.publish("poison", member=number)
    await _consume_until_open(harness)
    harness.clock.advance(hours=9)

    counts_before = await _consume_until_open(harness)
    harness.fixed = True
    counts = await harness.consume_all()

    assert (counts_before.circuit.since, counts_before.lag) == (NOON, 30)
    assert (counts.applied, counts.parked, counts.circuit.since) == (30, 0, None)


async def test_many_small_failing_batches_open_the_circuit(
    harness: InboxHarness,
) -> None:
    consumer = harness.consumer()
    for number in range(20):
        await _consume_one(harness, consumer, "poison", 100 + number)
        harness.clock.advance(seconds=40)
    for number in range(19):
        await _consume_one(harness, consumer, "bon", 300 + number)
    harness.publish("poison", member=200)

    counts = await _consume_until_open(harness, consumer)

    assert (counts.parked, counts.applied, counts.lag) == (20, 19, 1)
    assert counts.circuit.cause == "21 of 40 events failed: 21 × RuntimeError: cannot digest"


@pytest.mark.parametrize(
    ("failures", "good", "hours"),
    [(20, 0, 0.0), (25, 26, 0.0), (25, 0, 0.1)],
    ids=["as many as may", "most go well", "long ago"],
)
async def test_failures_below_the_threshold_do_not_open_the_circuit(
    harness: InboxHarness, failures: int, good: int, hours: float
) -> None:
    consumer = harness.consumer()
    for number in range(good):
        await _consume_one(harness, consumer, "bon", number)
    for number in range(failures):
        await _consume_one(harness, consumer, "poison", 100 + number)
        if number < good:
            await _consume_one(harness, consumer, "bon", number)
            await _consume_one(harness, consumer, "bon", number)
        harness.clock.advance(hours=hours)

    counts = await harness.check_counts(consumer)

    assert (counts.parked, counts.lag, counts.circuit.since) == (failures, 0, None)


async def test_only_recent_outcomes_count(harness: InboxHarness) -> None:
    harness.failure_threshold = FailureThreshold(max_failures=5, max_outcomes=20)
    consumer = harness.consumer()
    for number in range(5):
        await _consume_one(harness, consumer, "poison", 100 + number)
    for number in range(300):
        harness.publish("bon", member=number % 50)
    await harness.consume_all(consumer)
    for number in range(6):
        await _consume_one(harness, consumer, "poison", 200 + number)

    # Eleven of 311 failed, but six of the latest twenty.
    counts = await harness.check_counts(consumer)
    assert counts.circuit.since is None
    for number in range(4):
        await _consume_one(harness, consumer, "poison", 300 + number)
    harness.publish("poison", member=400)
    counts = await _consume_until_open(harness, consumer)
    assert counts.circuit.cause == "11 of 20 events failed: 11 × RuntimeError: cannot digest"
    assert counts.parked == 15


async def test_unreadable_records_count_as_failures(harness: InboxHarness) -> None:
    for number in range(25):
        harness.append(f"{number}".encode(), b"{")

    counts = await _consume_until_open(harness)

    assert (counts.lag, counts.dead_lettered) == (25, 0)
    assert await harness.outbox() == []
    assert counts.circuit.cause is not None
    assert counts.circuit.cause.startswith("25 of 25 events failed: 25 × ")


async def test_open_circuit_parks_nothing_even_behind_a_parked_event(
    harness: InboxHarness,
) -> None:
    (blocked_member,) = members_in_partition(1, 1)
    harness.publish("poison", member=blocked_member)
    await harness.consume_all()
    for member in members_in_partition(0, 30):
        harness.publish("poison", member=member)
    await _consume_until_open(harness)
    harness.publish("derrière", member=blocked_member)

    with pytest.raises(Redeliver, match="stopped: 30 of 30"):
        await _consume_partition(harness, 1)

    counts = await harness.check_counts(harness.consumer())
    assert (counts.parked, counts.dead_lettered, counts.lag) == (1, 0, 31)


async def test_successful_batch_of_another_partition_does_not_close_circuit(
    harness: InboxHarness,
) -> None:
    harness.failure_threshold = FailureThreshold(max_failures=0)
    (bad,), (good, second_bad) = members_in_partition(0, 1), members_in_partition(1, 2)
    harness.publish("poison", member=bad)
    harness.publish("bon", member=good)
    with pytest.raises(Redeliver):
        await _consume_partition(harness, 0)

    await _consume_partition(harness, 1)
    harness.publish("poison", member=second_bad)
    with pytest.raises(Redeliver):
        await _consume_partition(harness, 1)

    counts = await harness.check_counts(harness.consumer())
    assert (await harness.effects(), counts.lag, counts.parked) == (["bon"], 2, 0)
    assert (counts.circuit.since, counts.circuit.position) == (NOON, f"{TOPIC}/0/0")


async def test_waiting_batch_does_not_reopen_a_closed_circuit(
    harness: InboxHarness,
) -> None:
    """Another process closes the circuit after this one read that it is open."""
    harness.failure_threshold = FailureThreshold(max_failures=0)
    (bad,), (other,) = members_in_partition(0, 1), members_in_partition(1, 1)
    harness.publish("poison", member=bad)
    with pytest.raises(Redeliver):
        await _consume_partition(harness, 0)
    harness.publish("invalid", member=other)
    with pytest.raises(Redeliver):
        await _consume_partition(harness, 1)
    harness.fixed = True
    await _consume_partition(harness, 0)

    await open_circuit(
        harness.database, GROUP, CircuitOpen("1 of 1 events failed", None), harness.clock()
    )

    counts = await harness.check_counts(harness.consumer())
    assert (counts.circuit.since, await harness.effects()) == (None, ["poison"])


async def test_circuit_names_the_record_that_failed_last(harness: InboxHarness) -> None:
    harness.failure_threshold = FailureThreshold(max_failures=0)
    (first,) = members_in_partition(0, 1)
    harness.publish("poison", member=first)
    await _consume_until_open(harness)
    harness.fixed = True
    for member in members_in_partition(1, 3):
        harness.publish("invalid", member=member)

    counts = await _consume_until_open(harness)

    assert counts.circuit.position == f"{TOPIC}/1/0"
    assert counts.circuit.cause == "3 of 4 events failed: 3 × Invalid: invalid field=reason"


async def test_another_process_can_close_the_circuit(harness: InboxHarness) -> None:
    for number in range(30):
        harness.publish("poison", member=number)
    await _consume_until_open(harness)
    other_consumer = harness.consumer()
    harness.fixed = True

    counts = await harness.consume_all(other_consumer)

    assert (counts.applied, counts.circuit.since) == (30, None)
    assert [row["recent"] for row in await harness.query("SELECT recent FROM halts")] == ["[]"]


async def test_mostly_successful_batch_parks_failures_and_closes_circuit(
    harness: InboxHarness,
) -> None:
    for number in range(21):
        harness.publish("poison", member=number)
    await _consume_until_open(harness)
    for number in range(100, 122):
        harness.publish("bon", member=number)

    counts = await harness.consume_all()

    assert (counts.applied, counts.parked, counts.lag, counts.circuit.since) == (22, 21, 0, None)


async def test_retries_during_open_circuit_count_no_attempt(
    harness: InboxHarness,
) -> None:
    harness.publish("poison", member=99)
    await harness.consume_all()
    for number in range(30):
        harness.publish("poison", member=number)
    await _consume_until_open(harness)
    before = len(harness.applied_reasons)

    for _ in range(9):
        await harness.retry_parked()
    counts = await harness.retry_parked()

    assert len(harness.applied_reasons) == before + 10
    assert (counts.parked, counts.dead_lettered) == (1, 0)
    assert [r["attempts"] for r in await harness.query("SELECT attempts FROM parked")] == [1]
    harness.fixed = True
    assert (await harness.retry_parked()).applied == 1


async def test_invalid_event_stays_parked_during_open_circuit(
    harness: InboxHarness,
) -> None:
    harness.publish("poison", member=99)
    harness.publish("invalid", member=99)
    await harness.consume_all()
    for number in range(30):
        harness.publish("poison", member=number)
    await _consume_until_open(harness)
    harness.fixed = True

    counts = await harness.retry_parked()

    assert (counts.applied, counts.parked, counts.dead_lettered) == (1, 1, 0)


async def _consume_until_open(
    harness: InboxHarness, consumer: BatchConsumer | None = None
) -> GroupCounts:
    """Deliver every record: the circuit must open."""
    consumer = consumer or harness.consumer()
    with pytest.raises(Redeliver, match="stopped: "):
        await harness.consume_all(consumer)
    return await harness.check_counts(consumer)


async def _consume_one(
    harness: InboxHarness, consumer: BatchConsumer, words: str, member: int
) -> None:
    """Publish and consume a batch of one event."""
    harness.publish(words, member=member)
    await harness.consume_all(consumer)


async def _consume_partition(harness: InboxHarness, partition_number: int) -> None:
    consumer = harness.consumer()
    await consumer.handle(
        await harness.fetch_from(await consumer.on_assigned([Partition(TOPIC, partition_number)]))
    )
