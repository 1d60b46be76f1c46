"""Failed retries open the circuit breaker too: closing it does not repair a bug."""

from datetime import timedelta

import pytest

from shared.kit.inbox.circuit_breaker import resume
from shared.kit.inbox.dead_letters.decisions import DeadLetterDecision
from shared.kit.inbox.report import GroupCounts
from shared.kit.inbox.retry import ParkedEventRetrier
from shared.kit.inbox.thresholds import FailureThreshold
from tests.support.inbox_harness import GROUP, InboxHarness, make_caller, member_id

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
PARKED_EVENTS = 60


async def test_failed_retries_reopen_the_circuit(
    harness: InboxHarness,
) -> None:
    await _park_many(harness)

    counts = await harness.retry_parked()

    assert counts.circuit.since == harness.clock()
    assert counts.circuit.cause == "21 of 21 events failed: 21 × RuntimeError: cannot digest"
    assert sorted(await _list_attempts(harness)) == [1] * (PARKED_EVENTS - 20) + [2] * 20
    for _ in range(5):
        await harness.retry_parked()
    assert (await harness.check_counts(harness.consumer())).dead_lettered == 0


async def test_circuit_closes_when_the_opening_event_is_applied(
    harness: InboxHarness,
) -> None:
    await _park_many(harness)
    await harness.retry_parked()
    harness.fixed = True

    counts = await harness.retry_parked()

    assert (counts.circuit.since, counts.applied, counts.parked) == (None, PARKED_EVENTS, 0)


async def test_successful_batch_does_not_close_circuit_opened_by_retry(
    harness: InboxHarness,
) -> None:
    await _park_many(harness)
    counts_before = await harness.retry_parked()
    for member in range(200, 240):
        harness.publish("bon", member=member)

    counts = await harness.consume_all()

    assert (counts.applied, counts.parked, counts.lag) == (40, PARKED_EVENTS, 0)
    assert (counts.circuit.since, counts.circuit.position) == (
        counts_before.circuit.since,
        counts_before.circuit.position,
    )


async def test_replay_of_many_failing_events_opens_the_circuit(harness: InboxHarness) -> None:
    await _park_many(harness)
    await _resume(harness, failures=1)
    await _fail_all_attempts(harness)
    await _resume(harness)
    dead = await harness.decide(DeadLetterDecision("replay", everything=True))

    counts = await harness.retry_parked()

    assert sum(cause.letters for cause in dead.causes) == PARKED_EVENTS
    assert (counts.parked, counts.dead_lettered) == (PARKED_EVENTS, 0)
    assert counts.circuit.cause is not None
    assert counts.circuit.cause.startswith("21 of 21 events failed")


async def test_unblocked_events_count_as_failures(harness: InboxHarness) -> None:
    harness.failure_threshold = FailureThreshold(max_failures=5)
    for member in range(10):
        harness.publish("invalid", member=member)
    await _consume_with_accepted_failures(harness)
    for member in range(10):
        harness.publish("poison", member=member)
    await harness.consume_all()
    await harness.decide(DeadLetterDecision("skip", everything=True, reason="un essai"))

    counts = await harness.retry_parked()

    assert counts.circuit.cause == "6 of 6 events failed: 6 × RuntimeError: cannot digest"
    assert sorted(await _list_attempts(harness)) == [0] * 5 + [1] * 5


async def test_an_event_counts_once_however_often_it_is_tried(harness: InboxHarness) -> None:
    harness.failure_threshold = FailureThreshold(max_failures=4)
    for member in range(4):
        harness.publish("poison", member=member)
    await harness.consume_all()

    counts = await _fail_all_attempts(harness)

    assert (counts.dead_lettered, counts.parked, counts.circuit.since) == (4, 0, None)


async def test_accepted_failures_may_fail_again(harness: InboxHarness) -> None:
    await _park_many(harness)
    await _resume(harness, period=timedelta(hours=2))

    counts = await _fail_all_attempts(harness)

    assert (counts.circuit.since, counts.dead_lettered) == (None, PARKED_EVENTS)


async def test_parked_events_use_up_none_of_the_accepted_failures(
    harness: InboxHarness,
) -> None:
    await _park_many(harness)
    await _resume(harness, failures=30)

    counts = await _fail_all_attempts(harness)

    assert (counts.circuit.since, counts.dead_lettered, counts.circuit.accept_failures) == (
        None,
        PARKED_EVENTS,
        30,
    )
    await harness.decide(DeadLetterDecision("replay", everything=True))
    counts = await harness.retry_parked()
    assert counts.circuit.accept_failures == 0
    assert counts.circuit.cause is not None
    assert counts.circuit.cause.startswith("21 of 21 events failed")
    assert sorted(await _list_attempts(harness)) == [0] * (PARKED_EVENTS - 50) + [1] * 50


async def test_forgotten_blocked_event_is_made_due(harness: InboxHarness) -> None:
    """A batch can park an event behind one that is applied at the same moment."""
    harness.publish("poison")
    harness.publish("derrière")
    await harness.consume_all()
    await harness.query("UPDATE parked SET state = 'skipped' WHERE attempts > 0")
    keys = ParkedEventRetrier(harness.consumer())
    assert await keys.retry_due() == 0

    await keys.make_forgotten_due()

    assert await keys.retry_due() == 1
    assert await harness.effects() == ["derrière"]


async def test_event_behind_a_dead_one_is_not_made_due(harness: InboxHarness) -> None:
    harness.publish("invalid")
    harness.publish("derrière")
    await harness.consume_all()
    keys = ParkedEventRetrier(harness.consumer())

    await keys.make_forgotten_due()

    assert await keys.retry_due() == 0
    assert [row["next_try"] for row in await harness.query("SELECT next_try FROM parked")] == [
        None
    ] * 2


async def _park_many(harness: InboxHarness) -> None:
    """Park many failing events, which an operator accepts."""
    for member in range(PARKED_EVENTS):
        harness.publish("poison", member=member)
    await _consume_with_accepted_failures(harness)


async def _consume_with_accepted_failures(harness: InboxHarness) -> GroupCounts:
    await _resume(harness, failures=PARKED_EVENTS)
    counts = await harness.consume_all()
    await _resume(harness)
    return counts


async def _fail_all_attempts(harness: InboxHarness) -> GroupCounts:
    """Retry the parked events until their last attempt has failed."""
    await harness.retry_parked()
    await harness.retry_parked()
    return await harness.retry_parked()


async def _list_attempts(harness: InboxHarness) -> list[int]:
    rows = await harness.query("SELECT attempts FROM parked WHERE state = 'parked'")
    return [row["attempts"] for row in rows]


async def _resume(
    harness: InboxHarness, failures: int = 0, period: timedelta = timedelta(0)
) -> None:
    """Clear the window of failures, one second after the earlier failures."""
    harness.clock.advance(seconds=1)
    operator = make_caller(member_id=member_id(9))
    async with harness.database.unit(operator) as unit:
        await resume(unit, GROUP, operator, failures, period)
