"""A bad deploy must not drain the log into dead letters: the group stops, and says so."""

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
    probe: InboxHarness, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(30):
        probe.publish(f"poison {number}", member=number)

    found = await _stops(probe)

    assert (found.lag, found.parked, found.dead_lettered) == (30, 0, 0)
    assert found.halt.cause == "30 of 30 events failed: 30 × RuntimeError: cannot digest …"
    assert found.halt.since == NOON
    (told,) = [r for r in caplog.records if r.name == "preau.halts" and r.levelno == logging.ERROR]
    assert "30 × RuntimeError" in str(told.__dict__)
    assert await probe.query("SELECT 1 FROM inbox") == []


async def test_circuit_stays_open_until_an_attempt_succeeds(probe: InboxHarness) -> None:
    for number in range(30):
        probe.publish("poison", member=number)
    await _stops(probe)
    probe.clock.advance(hours=9)

    again = await _stops(probe)
    probe.fixed = True
    found = await probe.consume_all()

    assert (again.halt.since, again.lag) == (NOON, 30)
    assert (found.applied, found.parked, found.halt.since) == (30, 0, None)


async def test_many_small_failing_batches_open_the_circuit(
    probe: InboxHarness,
) -> None:
    reader = probe.consumer()
    for number in range(20):
        await _one(probe, reader, "poison", 100 + number)
        probe.clock.advance(seconds=40)
    for number in range(19):
        await _one(probe, reader, "bon", 300 + number)
    probe.publish("poison", member=200)

    found = await _stops(probe, reader)

    assert (found.parked, found.applied, found.lag) == (20, 19, 1)
    assert found.halt.cause == "21 of 40 events failed: 21 × RuntimeError: cannot digest"


@pytest.mark.parametrize(
    ("failures", "good", "hours"),
    [(20, 0, 0.0), (25, 26, 0.0), (25, 0, 0.1)],
    ids=["as many as may", "most go well", "long ago"],
)
async def test_failures_below_the_threshold_do_not_open_the_circuit(
    probe: InboxHarness, failures: int, good: int, hours: float
) -> None:
    reader = probe.consumer()
    for number in range(good):
        await _one(probe, reader, "bon", number)
    for number in range(failures):
        await _one(probe, reader, "poison", 100 + number)
        if number < good:
            await _one(probe, reader, "bon", number)
            await _one(probe, reader, "bon", number)
        probe.clock.advance(hours=hours)

    found = await probe.check_counts(reader)

    assert (found.parked, found.lag, found.halt.since) == (failures, 0, None)


async def test_only_recent_outcomes_count(probe: InboxHarness) -> None:
    probe.failure_threshold = FailureThreshold(max_failures=5, max_outcomes=20)
    reader = probe.consumer()
    for number in range(5):
        await _one(probe, reader, "poison", 100 + number)
    for number in range(300):
        probe.publish("bon", member=number % 50)
    await probe.consume_all(reader)
    for number in range(6):
        await _one(probe, reader, "poison", 200 + number)

    # Eleven failed of 311, but six of the latest twenty.
    found = await probe.check_counts(reader)
    assert found.halt.since is None
    for number in range(4):
        await _one(probe, reader, "poison", 300 + number)
    probe.publish("poison", member=400)
    found = await _stops(probe, reader)
    assert found.halt.cause == "11 of 20 events failed: 11 × RuntimeError: cannot digest"
    assert found.parked == 15


async def test_unreadable_records_count_as_failures(probe: InboxHarness) -> None:
    for number in range(25):
        probe.append(f"{number}".encode(), b"{")

    found = await _stops(probe)

    assert (found.lag, found.dead_lettered) == (25, 0)
    assert await probe.outbox() == []
    assert found.halt.cause is not None
    assert found.halt.cause.startswith("25 of 25 events failed: 25 × ")


async def test_open_circuit_parks_nothing_even_behind_a_parked_event(
    probe: InboxHarness,
) -> None:
    (waiting,) = members_in_partition(1, 1)
    probe.publish("poison", member=waiting)
    await probe.consume_all()
    for who in members_in_partition(0, 30):
        probe.publish("poison", member=who)
    await _stops(probe)
    probe.publish("derrière", member=waiting)

    with pytest.raises(Redeliver, match="stopped: 30 of 30"):
        await _take_of(probe, 1)

    found = await probe.check_counts(probe.consumer())
    assert (found.parked, found.dead_lettered, found.lag) == (1, 0, 31)


async def test_successful_batch_of_another_partition_does_not_close_circuit(
    probe: InboxHarness,
) -> None:
    probe.failure_threshold = FailureThreshold(max_failures=0)
    (bad,), (good, other) = members_in_partition(0, 1), members_in_partition(1, 2)
    probe.publish("poison", member=bad)
    probe.publish("bon", member=good)
    with pytest.raises(Redeliver):
        await _take_of(probe, 0)

    await _take_of(probe, 1)
    probe.publish("poison", member=other)
    with pytest.raises(Redeliver):
        await _take_of(probe, 1)

    found = await probe.check_counts(probe.consumer())
    assert (await probe.effects(), found.lag, found.parked) == (["bon"], 2, 0)
    assert (found.halt.since, found.halt.place) == (NOON, f"{TOPIC}/0/0")


async def test_waiting_batch_does_not_reopen_a_closed_circuit(
    probe: InboxHarness,
) -> None:
    """One process reads that the group is stopped; before it has told so, another one lifts it."""
    probe.failure_threshold = FailureThreshold(max_failures=0)
    (bad,), (other,) = members_in_partition(0, 1), members_in_partition(1, 1)
    probe.publish("poison", member=bad)
    with pytest.raises(Redeliver):
        await _take_of(probe, 0)
    probe.publish("invalid", member=other)
    with pytest.raises(Redeliver):
        await _take_of(probe, 1)
    probe.fixed = True
    await _take_of(probe, 0)

    await open_circuit(
        probe.database, GROUP, CircuitOpen("1 of 1 events failed", None), probe.clock()
    )

    found = await probe.check_counts(probe.consumer())
    assert (found.halt.since, await probe.effects()) == (None, ["poison"])


async def test_circuit_names_the_record_that_failed_last(probe: InboxHarness) -> None:
    probe.failure_threshold = FailureThreshold(max_failures=0)
    (first,) = members_in_partition(0, 1)
    probe.publish("poison", member=first)
    await _stops(probe)
    probe.fixed = True
    for who in members_in_partition(1, 3):
        probe.publish("invalid", member=who)

    found = await _stops(probe)

    assert found.halt.place == f"{TOPIC}/1/0"
    assert found.halt.cause == "3 of 4 events failed: 3 × Invalid: invalid field=reason"


async def test_another_process_can_close_the_circuit(probe: InboxHarness) -> None:
    for number in range(30):
        probe.publish("poison", member=number)
    await _stops(probe)
    heir = probe.consumer()
    probe.fixed = True

    found = await probe.consume_all(heir)

    assert (found.applied, found.halt.since) == (30, None)
    assert [row["recent"] for row in await probe.query("SELECT recent FROM halts")] == ["[]"]


async def test_mostly_successful_batch_parks_failures_and_closes_circuit(
    probe: InboxHarness,
) -> None:
    for number in range(21):
        probe.publish("poison", member=number)
    await _stops(probe)
    for number in range(100, 122):
        probe.publish("bon", member=number)

    found = await probe.consume_all()

    assert (found.applied, found.parked, found.lag, found.halt.since) == (22, 21, 0, None)


async def test_retries_during_open_circuit_count_no_attempt(
    probe: InboxHarness,
) -> None:
    probe.publish("poison", member=99)
    await probe.consume_all()
    for number in range(30):
        probe.publish("poison", member=number)
    await _stops(probe)
    before = len(probe.applied_reasons)

    for _ in range(9):
        await probe.retry_parked()
    found = await probe.retry_parked()

    assert len(probe.applied_reasons) == before + 10
    assert (found.parked, found.dead_lettered) == (1, 0)
    assert [r["attempts"] for r in await probe.query("SELECT attempts FROM parked")] == [1]
    probe.fixed = True
    assert (await probe.retry_parked()).applied == 1


async def test_invalid_event_stays_parked_during_open_circuit(
    probe: InboxHarness,
) -> None:
    probe.publish("poison", member=99)
    probe.publish("invalid", member=99)
    await probe.consume_all()
    for number in range(30):
        probe.publish("poison", member=number)
    await _stops(probe)
    probe.fixed = True

    found = await probe.retry_parked()

    assert (found.applied, found.parked, found.dead_lettered) == (1, 1, 0)


async def _stops(probe: InboxHarness, reader: BatchConsumer | None = None) -> GroupCounts:
    """Hand over all there is: it must stop."""
    reader = reader or probe.consumer()
    with pytest.raises(Redeliver, match="stopped: "):
        await probe.consume_all(reader)
    return await probe.check_counts(reader)


async def _one(probe: InboxHarness, reader: BatchConsumer, words: str, who: int) -> None:
    """A batch of one event."""
    probe.publish(words, member=who)
    await probe.consume_all(reader)


async def _take_of(probe: InboxHarness, place: int) -> None:
    reader = probe.consumer()
    await reader.handle(await probe.fetch_from(await reader.on_assigned([Partition(TOPIC, place)])))
