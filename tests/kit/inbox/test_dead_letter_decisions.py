"""Decisions on dead letters: by position, by cause or all; dry runs; audited reasons."""

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
AUDIT_ROWS = "SELECT member_id, action, subject, details FROM audit ORDER BY number"


async def test_replay_applies_the_event_and_those_behind_it(
    harness: InboxHarness,
) -> None:
    (position,) = await _publish_dead_letters(harness, "poison")
    harness.fixed = True

    await harness.decide(DeadLetterDecision("replay", (position,)))
    counts = await harness.retry_parked()

    assert await harness.effects() == ["poison", "derrière"]
    assert (counts.published, counts.applied, counts.dead_lettered) == (2, 2, 0)


async def test_failed_replay_counts_attempts_again_with_the_new_cause(
    harness: InboxHarness,
) -> None:
    (position,) = await _publish_dead_letters(harness, "poison")
    harness.bug_message = "another bug"

    await harness.decide(DeadLetterDecision("replay", (position,)))
    attempts = []
    for _ in range(3):
        await harness.retry_parked()
        attempts += [e for e in await harness.list_dead_letters(all_states=True) if e.cause]

    assert [(e.attempts, e.state) for e in attempts] == [(1, "parked"), (2, "parked"), (3, "dead")]
    assert (attempts[2].cause, attempts[2].pattern) == ("RuntimeError: another bug",) * 2
    assert len(await harness.outbox()) == 2
    assert '"attempts":3' in bytes((await harness.outbox())[1].data).decode()


async def test_skipped_event_is_never_applied_and_unblocks_its_key(harness: InboxHarness) -> None:
    (position,) = await _publish_dead_letters(harness, "poison")

    decided_at = harness.clock.now
    await harness.decide(DeadLetterDecision("skip", (position,), reason="un essai du tuteur 🧪"))
    counts = await harness.retry_parked()

    assert await harness.effects() == ["derrière"]
    assert (counts.applied, counts.dead_lettered, counts.skipped) == (1, 1, 1)
    harness.publish("ensuite", member=4)
    await harness.consume_all()
    assert await harness.effects() == ["derrière", "ensuite"]
    (letter,) = await harness.list_dead_letters(all_states=True)
    assert (letter.state, letter.reason, letter.decided_by, letter.decided_at) == (
        ("skipped", "un essai du tuteur 🧪", member_id(9), decided_at)
    )


async def test_audit_records_member_decision_position_and_reason(harness: InboxHarness) -> None:
    skipped_position, replayed_position = await _publish_dead_letters(
        harness, "poison", "poison autre"
    )
    (skipped_letter,) = [
        e for e in await harness.list_dead_letters() if e.position == skipped_position
    ]

    await harness.decide(DeadLetterDecision("skip", (skipped_position,), reason="du bruit"))
    await harness.decide(DeadLetterDecision("replay", everything=True))

    skipped, replayed = await harness.query(AUDIT_ROWS)
    assert (skipped["member_id"], skipped["action"]) == (member_id(9), "dead_letters.skip")
    assert skipped["subject"] == skipped_letter.event_id
    assert json.loads(skipped["details"]) == {
        "group": GROUP,
        "letters": 1,
        "which": str(skipped_position),
        "reason": "du bruit",
    }
    assert replayed["action"] == "dead_letters.replay"
    assert json.loads(replayed["details"])["which"] == "everything"
    assert replayed_position in [
        letter.position for letter in await harness.list_dead_letters(all_states=True)
    ]


@pytest.mark.parametrize("reason", [None, "", "  "])
async def test_skip_requires_a_reason(harness: InboxHarness, reason: str | None) -> None:
    (position,) = await _publish_dead_letters(harness, "poison")
    with pytest.raises(ReasonMissing):
        await harness.decide(DeadLetterDecision("skip", (position,), reason=reason))
    assert [letter.position for letter in await harness.list_dead_letters()] == [position]


@pytest.mark.parametrize(
    "decision",
    [
        DeadLetterDecision("replay"),
        DeadLetterDecision("replay", cause=""),
        DeadLetterDecision("replay", (LogPosition(TOPIC, 0, 0),), "Error"),
        DeadLetterDecision("replay", cause="Error", everything=True),
    ],
)
async def test_decision_accepts_exactly_one_selection(
    harness: InboxHarness, decision: DeadLetterDecision
) -> None:
    with pytest.raises(Invalid):
        await harness.decide(decision)


async def test_replay_by_cause_leaves_other_causes(
    harness: InboxHarness,
) -> None:
    await _publish_dead_letters(harness, "poison 1", "poison 22", "poison 'é' autre")
    harness.fixed = True

    result = await harness.decide(DeadLetterDecision("replay", cause="digest …"))
    await harness.retry_parked()

    assert [(cause.cause, cause.letters) for cause in result.causes] == [
        ("RuntimeError: cannot digest …", 2)
    ]
    first, behind, second, last = await harness.effects()
    assert {first, second} == {"poison 1", "poison 22"}
    assert behind == last == "derrière"
    (remaining,) = await harness.list_dead_letters()
    assert remaining.cause == "RuntimeError: cannot digest 'é' autre"
    assert (await harness.decide(DeadLetterDecision("replay", cause="'é'"))).causes[0].letters == 1
    assert (await harness.decide(DeadLetterDecision("replay", cause="%"))).causes == []


async def test_dry_run_changes_nothing(harness: InboxHarness) -> None:
    await _publish_dead_letters(harness, "poison", "poison 2")
    rows_before = await harness.query("SELECT * FROM parked ORDER BY 3, 4")

    for decision in ("replay", "skip"):
        result = await harness.decide(DeadLetterDecision(decision, everything=True, dry_run=True))
        assert [(c.letters, c.keys, c.waiting) for c in result.causes] == [(1, 1, 1), (1, 1, 1)]

    assert await harness.query("SELECT * FROM parked ORDER BY 3, 4") == rows_before
    assert await harness.query(AUDIT_ROWS) == []


async def test_decision_with_one_wrong_position_changes_nothing(
    harness: InboxHarness,
) -> None:
    (position,) = await _publish_dead_letters(harness, "poison")
    for wrong_position in (
        LogPosition(TOPIC, position.partition, 99),
        LogPosition(TOPIC, position.partition, 1),
    ):
        with pytest.raises(DeadLetterNotFound):
            await harness.decide(DeadLetterDecision("replay", (position, wrong_position)))
    assert [letter.position for letter in await harness.list_dead_letters()] == [position]


async def test_replay_during_consumption_keeps_the_order_of_the_key(
    harness: InboxHarness,
) -> None:
    (position,) = await _publish_dead_letters(harness, "poison")
    harness.fixed = True
    consumer, other_consumer = harness.consumer(), harness.consumer()
    for number in range(20):
        harness.publish(f"{number}", member=100)
    await asyncio.gather(
        harness.consume_all(consumer),
        harness.decide(DeadLetterDecision("replay", (position,))),
        *(
            ParkedEventRetrier(group_consumer).retry_due()
            for group_consumer in (consumer, other_consumer)
        ),
    )
    await asyncio.gather(
        *(
            ParkedEventRetrier(group_consumer).retry_due()
            for group_consumer in (consumer, other_consumer)
        )
    )
    await harness.retry_parked()

    assert await harness.effects() == ["poison", "derrière", *(f"{n}" for n in range(20))]


async def test_operator_accepts_a_number_of_failures(harness: InboxHarness) -> None:
    operator = make_caller(member_id=member_id(9))
    harness.failure_threshold = FailureThreshold(max_failures=2)
    await _publish_until_open(harness, 5)

    async with harness.database.unit(operator) as unit:
        state_before = await resume(unit, GROUP, operator, failures=7)
    counts = await harness.consume_all()

    assert state_before.cause == "5 of 5 events failed: 5 × RuntimeError: cannot digest"
    assert (counts.parked, counts.circuit.since, counts.circuit.accept_failures) == (5, None, 2)
    (row,) = await harness.query(AUDIT_ROWS)
    assert (row["action"], row["member_id"]) == ("consumer.resumed", member_id(9))
    assert json.loads(row["details"])["accept_failures"] == 7
    await _publish_until_open(harness, 5, first=200)


async def test_operator_accepts_failures_for_a_period(harness: InboxHarness) -> None:
    operator = make_caller(member_id=member_id(9))
    harness.failure_threshold = FailureThreshold(max_failures=2)
    await _publish_until_open(harness, 5)
    async with harness.database.unit(operator) as unit:
        await resume(unit, GROUP, operator, period=NOON.replace(minute=10) - NOON)

    for first in (200, 300):
        for number in range(5):
            harness.publish("poison", member=first + number)
        await harness.consume_all()

    assert (await harness.check_counts(harness.consumer())).parked == 15
    harness.clock.advance(minutes=10)
    await _publish_until_open(harness, 5, first=400)


async def test_resume_without_accepted_failures_clears_the_window(harness: InboxHarness) -> None:
    operator = make_caller(member_id=member_id(9))
    async with harness.database.unit(operator) as unit:
        with pytest.raises(CircuitNotOpen):
            await resume(unit, GROUP, operator)
    harness.failure_threshold = FailureThreshold(max_failures=2)
    await _publish_until_open(harness, 5)
    async with harness.database.unit(operator) as unit:
        await resume(unit, GROUP, operator)

    assert (await harness.check_counts(harness.consumer())).circuit.since is None
    await _publish_until_open(harness, 0)


async def _publish_until_open(harness: InboxHarness, number: int, first: int = 1) -> None:
    for index in range(number):
        harness.publish("poison", member=first + index)
    with pytest.raises(Exception, match="stopped: "):
        await harness.consume_all()


async def _publish_dead_letters(harness: InboxHarness, *reasons: str) -> list[LogPosition]:
    """Publish events that become dead letters, each with a blocked one; return the positions."""
    for number, reason in enumerate(reasons):
        harness.publish(reason, member=100 + number)
        harness.publish("derrière", member=100 + number)
    await harness.consume_all()
    await harness.retry_parked()
    await harness.retry_parked()
    by_cause = {letter.cause: letter.position for letter in await harness.list_dead_letters()}
    return [by_cause["RuntimeError: cannot digest" + reason[6:]] for reason in reasons]
