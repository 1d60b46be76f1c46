"""What an operator decides: one, many, by cause, all; tried in the dry, kept with a reason."""

import asyncio
import json

import pytest

from shared.kit.core.errors import Invalid
from shared.kit.inbox.circuit_breaker import CircuitNotOpen, resume
from shared.kit.inbox.dead_letters.decisions import (
    DeadLetterDecision,
    DeadLetterNotFound,
    ReasonMissing,
)
from shared.kit.inbox.parked import LogPosition
from shared.kit.inbox.retry import ParkedEventRetrier
from shared.kit.inbox.thresholds import FailureThreshold
from tests.support.inbox_harness import GROUP, NOON, TOPIC, InboxHarness, make_caller, member_id

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
AUDIT = "SELECT member_id, action, subject, details FROM audit ORDER BY number"


async def test_replay_applies_the_event_and_those_behind_it(
    probe: InboxHarness,
) -> None:
    (place,) = await _dead(probe, "poison")
    probe.fixed = True

    await probe.decide(DeadLetterDecision("replay", (place,)))
    found = await probe.retry_parked()

    assert await probe.effects() == ["poison", "derrière"]
    assert (found.published, found.applied, found.dead_lettered) == (2, 2, 0)


async def test_failed_replay_counts_attempts_again_with_the_new_cause(
    probe: InboxHarness,
) -> None:
    (place,) = await _dead(probe, "poison")
    probe.bug_message = "another bug"

    await probe.decide(DeadLetterDecision("replay", (place,)))
    attempts = []
    for _ in range(3):
        await probe.retry_parked()
        attempts += [e for e in await probe.list_dead_letters(everything=True) if e.cause]

    assert [(e.attempts, e.state) for e in attempts] == [(1, "parked"), (2, "parked"), (3, "dead")]
    assert (attempts[2].cause, attempts[2].pattern) == ("RuntimeError: another bug",) * 2
    assert len(await probe.outbox()) == 2
    assert '"attempts":3' in bytes((await probe.outbox())[1].data).decode()


async def test_skipped_event_is_never_applied_and_unblocks_its_key(probe: InboxHarness) -> None:
    (place,) = await _dead(probe, "poison")

    decided = probe.clock.now
    await probe.decide(DeadLetterDecision("skip", (place,), reason="un essai du tuteur 🧪"))
    found = await probe.retry_parked()

    assert await probe.effects() == ["derrière"]
    assert (found.applied, found.dead_lettered, found.skipped) == (1, 1, 1)
    probe.publish("ensuite", member=4)
    await probe.consume_all()
    assert await probe.effects() == ["derrière", "ensuite"]
    (letter,) = await probe.list_dead_letters(everything=True)
    assert (letter.state, letter.reason, letter.decided_by, letter.decided_at) == (
        ("skipped", "un essai du tuteur 🧪", member_id(9), decided)
    )


async def test_audit_records_member_decision_position_and_reason(probe: InboxHarness) -> None:
    one, two = await _dead(probe, "poison", "poison autre")
    (first,) = [e for e in await probe.list_dead_letters() if e.position == one]

    await probe.decide(DeadLetterDecision("skip", (one,), reason="du bruit"))
    await probe.decide(DeadLetterDecision("replay", everything=True))

    skipped, replayed = await probe.query(AUDIT)
    assert (skipped["member_id"], skipped["action"]) == (member_id(9), "dead_letters.skip")
    assert skipped["subject"] == first.event_id
    assert json.loads(skipped["details"]) == {
        "group": GROUP,
        "letters": 1,
        "which": str(one),
        "reason": "du bruit",
    }
    assert replayed["action"] == "dead_letters.replay"
    assert json.loads(replayed["details"])["which"] == "everything"
    assert two in [letter.position for letter in await probe.list_dead_letters(everything=True)]


@pytest.mark.parametrize("reason", [None, "", "  "])
async def test_skip_requires_a_reason(probe: InboxHarness, reason: str | None) -> None:
    (place,) = await _dead(probe, "poison")
    with pytest.raises(ReasonMissing):
        await probe.decide(DeadLetterDecision("skip", (place,), reason=reason))
    assert [letter.position for letter in await probe.list_dead_letters()] == [place]


@pytest.mark.parametrize(
    "wish",
    [
        DeadLetterDecision("replay"),
        DeadLetterDecision("replay", cause=""),
        DeadLetterDecision("replay", (LogPosition(TOPIC, 0, 0),), "Error"),
        DeadLetterDecision("replay", cause="Error", everything=True),
    ],
)
async def test_decision_accepts_exactly_one_selection(
    probe: InboxHarness, wish: DeadLetterDecision
) -> None:
    with pytest.raises(Invalid):
        await probe.decide(wish)


async def test_replay_by_cause_leaves_other_causes(
    probe: InboxHarness,
) -> None:
    await _dead(probe, "poison 1", "poison 22", "poison 'é' autre")
    probe.fixed = True

    done = await probe.decide(DeadLetterDecision("replay", cause="digest …"))
    await probe.retry_parked()

    assert [(cause.cause, cause.letters) for cause in done.causes] == [
        ("RuntimeError: cannot digest …", 2)
    ]
    first, behind, second, last = await probe.effects()
    assert {first, second} == {"poison 1", "poison 22"}
    assert behind == last == "derrière"
    (left,) = await probe.list_dead_letters()
    assert left.cause == "RuntimeError: cannot digest 'é' autre"
    assert (await probe.decide(DeadLetterDecision("replay", cause="'é'"))).causes[0].letters == 1
    assert (await probe.decide(DeadLetterDecision("replay", cause="%"))).causes == []


async def test_dry_run_changes_nothing(probe: InboxHarness) -> None:
    await _dead(probe, "poison", "poison 2")
    before = await probe.query("SELECT * FROM parked ORDER BY 3, 4")

    for kind in ("replay", "skip"):
        done = await probe.decide(DeadLetterDecision(kind, everything=True, dry_run=True))
        assert [(c.letters, c.keys, c.waiting) for c in done.causes] == [(1, 1, 1), (1, 1, 1)]

    assert await probe.query("SELECT * FROM parked ORDER BY 3, 4") == before
    assert await probe.query(AUDIT) == []


async def test_decision_with_one_wrong_position_changes_nothing(
    probe: InboxHarness,
) -> None:
    (place,) = await _dead(probe, "poison")
    for other in (LogPosition(TOPIC, place.partition, 99), LogPosition(TOPIC, place.partition, 1)):
        with pytest.raises(DeadLetterNotFound):
            await probe.decide(DeadLetterDecision("replay", (place, other)))
    assert [letter.position for letter in await probe.list_dead_letters()] == [place]


async def test_replay_during_consumption_keeps_the_order_of_the_key(
    probe: InboxHarness,
) -> None:
    (place,) = await _dead(probe, "poison")
    probe.fixed = True
    reader, other = probe.consumer(), probe.consumer()
    for number in range(20):
        probe.publish(f"{number}", member=100)
    await asyncio.gather(
        probe.consume_all(reader),
        probe.decide(DeadLetterDecision("replay", (place,))),
        *(ParkedEventRetrier(each).retry_due() for each in (reader, other)),
    )
    await asyncio.gather(*(ParkedEventRetrier(each).retry_due() for each in (reader, other)))
    await probe.retry_parked()

    assert await probe.effects() == ["poison", "derrière", *(f"{n}" for n in range(20))]


async def test_operator_accepts_a_number_of_failures(probe: InboxHarness) -> None:
    who = make_caller(member_id=member_id(9))
    probe.failure_threshold = FailureThreshold(max_failures=2)
    await _stopped(probe, 5)

    async with probe.database.unit(who) as unit:
        before = await resume(unit, GROUP, who, failures=7)
    found = await probe.consume_all()

    assert before.cause == "5 of 5 events failed: 5 × RuntimeError: cannot digest"
    assert (found.parked, found.halt.since, found.halt.accept_failures) == (5, None, 2)
    (row,) = await probe.query(AUDIT)
    assert (row["action"], row["member_id"]) == ("consumer.resumed", member_id(9))
    assert json.loads(row["details"])["accept_failures"] == 7
    await _stopped(probe, 5, first=200)


async def test_operator_accepts_failures_for_a_period(probe: InboxHarness) -> None:
    who = make_caller(member_id=member_id(9))
    probe.failure_threshold = FailureThreshold(max_failures=2)
    await _stopped(probe, 5)
    async with probe.database.unit(who) as unit:
        await resume(unit, GROUP, who, period=NOON.replace(minute=10) - NOON)

    for first in (200, 300):
        for number in range(5):
            probe.publish("poison", member=first + number)
        await probe.consume_all()

    assert (await probe.check_counts(probe.consumer())).parked == 15
    probe.clock.advance(minutes=10)
    await _stopped(probe, 5, first=400)


async def test_resume_without_accepted_failures_clears_the_window(probe: InboxHarness) -> None:
    who = make_caller(member_id=member_id(9))
    async with probe.database.unit(who) as unit:
        with pytest.raises(CircuitNotOpen):
            await resume(unit, GROUP, who)
    probe.failure_threshold = FailureThreshold(max_failures=2)
    await _stopped(probe, 5)
    async with probe.database.unit(who) as unit:
        await resume(unit, GROUP, who)

    assert (await probe.check_counts(probe.consumer())).halt.since is None
    await _stopped(probe, 0)


async def _stopped(probe: InboxHarness, number: int, first: int = 1) -> None:
    for each in range(number):
        probe.publish("poison", member=first + each)
    with pytest.raises(Exception, match="stopped: "):
        await probe.consume_all()


async def _dead(probe: InboxHarness, *words: str) -> list[LogPosition]:
    """Let these die, each with one more event waiting behind it; give where they stand."""
    for number, each in enumerate(words):
        probe.publish(each, member=100 + number)
        probe.publish("derrière", member=100 + number)
    await probe.consume_all()
    await probe.retry_parked()
    await probe.retry_parked()
    by_cause = {letter.cause: letter.position for letter in await probe.list_dead_letters()}
    return [by_cause["RuntimeError: cannot digest" + each[6:]] for each in words]
