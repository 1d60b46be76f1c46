"""What is tried again and fails again stops the group too: lifting a halt mends no bug."""

from datetime import timedelta

import pytest

from shared.kit.inbox.circuit_breaker import resume
from shared.kit.inbox.dead_letters.decisions import DeadLetterDecision
from shared.kit.inbox.report import GroupCounts
from shared.kit.inbox.retry import ParkedEventRetrier
from shared.kit.inbox.thresholds import FailureThreshold
from tests.support.inbox_harness import GROUP, InboxHarness, make_caller, member_id

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
MANY = 60


async def test_failed_retries_reopen_the_circuit(
    probe: InboxHarness,
) -> None:
    await _parked(probe)

    found = await probe.retry_parked()

    assert found.halt.since == probe.clock()
    assert found.halt.cause == "21 of 21 events failed: 21 × RuntimeError: cannot digest"
    assert sorted(await _attempts(probe)) == [1] * (MANY - 20) + [2] * 20
    for _ in range(5):
        await probe.retry_parked()
    assert (await probe.check_counts(probe.consumer())).dead_lettered == 0


async def test_circuit_closes_when_the_opening_event_is_applied(
    probe: InboxHarness,
) -> None:
    await _parked(probe)
    await probe.retry_parked()
    probe.fixed = True

    found = await probe.retry_parked()

    assert (found.halt.since, found.applied, found.parked) == (None, MANY, 0)


async def test_successful_batch_does_not_close_circuit_opened_by_retry(probe: InboxHarness) -> None:
    await _parked(probe)
    stopped = await probe.retry_parked()
    for who in range(200, 240):
        probe.publish("bon", member=who)

    found = await probe.consume_all()

    assert (found.applied, found.parked, found.lag) == (40, MANY, 0)
    assert (found.halt.since, found.halt.place) == (stopped.halt.since, stopped.halt.place)


async def test_replay_of_many_failing_events_opens_the_circuit(probe: InboxHarness) -> None:
    await _parked(probe)
    await _resume(probe, failures=1)
    await _die(probe)
    await _resume(probe)
    dead = await probe.decide(DeadLetterDecision("replay", everything=True))

    found = await probe.retry_parked()

    assert sum(cause.letters for cause in dead.causes) == MANY
    assert (found.parked, found.dead_lettered) == (MANY, 0)
    assert found.halt.cause is not None
    assert found.halt.cause.startswith("21 of 21 events failed")


async def test_unblocked_events_count_as_failures(probe: InboxHarness) -> None:
    probe.failure_threshold = FailureThreshold(max_failures=5)
    for who in range(10):
        probe.publish("invalid", member=who)
    await _take_accepted(probe)
    for who in range(10):
        probe.publish("poison", member=who)
    await probe.consume_all()
    await probe.decide(DeadLetterDecision("skip", everything=True, reason="un essai"))

    found = await probe.retry_parked()

    assert found.halt.cause == "6 of 6 events failed: 6 × RuntimeError: cannot digest"
    assert sorted(await _attempts(probe)) == [0] * 5 + [1] * 5


async def test_an_event_counts_once_however_often_it_is_tried(probe: InboxHarness) -> None:
    probe.failure_threshold = FailureThreshold(max_failures=4)
    for who in range(4):
        probe.publish("poison", member=who)
    await probe.consume_all()

    found = await _die(probe)

    assert (found.dead_lettered, found.parked, found.halt.since) == (4, 0, None)


async def test_accepted_failures_may_fail_again(probe: InboxHarness) -> None:
    await _parked(probe)
    await _resume(probe, period=timedelta(hours=2))

    found = await _die(probe)

    assert (found.halt.since, found.dead_lettered) == (None, MANY)


async def test_parked_events_use_up_none_of_the_accepted_failures(
    probe: InboxHarness,
) -> None:
    await _parked(probe)
    await _resume(probe, failures=30)

    found = await _die(probe)

    assert (found.halt.since, found.dead_lettered, found.halt.accept_failures) == (None, MANY, 30)
    await probe.decide(DeadLetterDecision("replay", everything=True))
    found = await probe.retry_parked()
    assert found.halt.accept_failures == 0
    assert found.halt.cause is not None
    assert found.halt.cause.startswith("21 of 21 events failed")
    assert sorted(await _attempts(probe)) == [0] * (MANY - 50) + [1] * 50


async def test_forgotten_blocked_event_is_made_due(probe: InboxHarness) -> None:
    """As when a batch put an event behind one that was applied in that moment."""
    probe.publish("poison")
    probe.publish("derrière")
    await probe.consume_all()
    await probe.query("UPDATE parked SET state = 'skipped' WHERE attempts > 0")
    keys = ParkedEventRetrier(probe.consumer())
    assert await keys.retry_due() == 0

    await keys.make_forgotten_due()

    assert await keys.retry_due() == 1
    assert await probe.effects() == ["derrière"]


async def test_event_behind_a_dead_one_is_not_made_due(probe: InboxHarness) -> None:
    probe.publish("invalid")
    probe.publish("derrière")
    await probe.consume_all()
    keys = ParkedEventRetrier(probe.consumer())

    await keys.make_forgotten_due()

    assert await keys.retry_due() == 0
    assert [row["next_try"] for row in await probe.query("SELECT next_try FROM parked")] == [
        None
    ] * 2


async def _parked(probe: InboxHarness) -> None:
    """Park many events that fail, as an operator accepts."""
    for who in range(MANY):
        probe.publish("poison", member=who)
    await _take_accepted(probe)


async def _take_accepted(probe: InboxHarness) -> GroupCounts:
    await _resume(probe, failures=MANY)
    found = await probe.consume_all()
    await _resume(probe)
    return found


async def _die(probe: InboxHarness) -> GroupCounts:
    """Try what is parked until it is out of attempts."""
    await probe.retry_parked()
    await probe.retry_parked()
    return await probe.retry_parked()


async def _attempts(probe: InboxHarness) -> list[int]:
    rows = await probe.query("SELECT attempts FROM parked WHERE state = 'parked'")
    return [row["attempts"] for row in rows]


async def _resume(probe: InboxHarness, failures: int = 0, period: timedelta = timedelta(0)) -> None:
    """Judge anew from now on; a moment later, so that what failed before is older."""
    probe.clock.advance(seconds=1)
    who = make_caller(member_id=member_id(9))
    async with probe.database.unit(who) as unit:
        await resume(unit, GROUP, who, failures, period)
