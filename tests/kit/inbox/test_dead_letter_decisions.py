"""What an operator decides: one, many, by cause, all; tried in the dry, kept with a reason."""

import asyncio
import json

import pytest

from shared.kit.core.errors import Invalid
from shared.kit.inbox.circuit_breaker import NotStopped, resume
from shared.kit.inbox.dead_letters.decisions import DeadLetterNotFound, Decision, ReasonMissing
from shared.kit.inbox.parked import Place
from shared.kit.inbox.retry import ParkedKeys
from shared.kit.inbox.thresholds import Limit
from tests.support.inbox_harness import GROUP, NOON, TOPIC, Probe, caller, member

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
AUDIT = "SELECT member_id, action, subject, details FROM audit ORDER BY number"


async def test_replay_tries_it_again_in_this_group_and_what_waits_behind_it(probe: Probe) -> None:
    (place,) = await _dead(probe, "poison")
    probe.mended = True

    await probe.decide(Decision("replay", (place,)))
    found = await probe.try_again()

    assert await probe.effects() == ["poison", "derrière"]
    assert (found.published, found.applied, found.dead_lettered) == (2, 2, 0)


async def test_a_replay_that_fails_again_dies_again_counted_from_one_with_its_new_cause(
    probe: Probe,
) -> None:
    (place,) = await _dead(probe, "poison")
    probe.bug = "another bug"

    await probe.decide(Decision("replay", (place,)))
    attempts = []
    for _ in range(3):
        await probe.try_again()
        attempts += [e for e in await probe.letters(everything=True) if e.cause]

    assert [(e.attempts, e.state) for e in attempts] == [(1, "parked"), (2, "parked"), (3, "dead")]
    assert (attempts[2].cause, attempts[2].pattern) == ("RuntimeError: another bug",) * 2
    assert len(await probe.outbox()) == 2
    assert '"attempts":3' in bytes((await probe.outbox())[1].data).decode()


async def test_skip_leaves_it_out_for_good_and_its_key_goes_on(probe: Probe) -> None:
    (place,) = await _dead(probe, "poison")

    decided = probe.clock.now
    await probe.decide(Decision("skip", (place,), reason="un essai du tuteur 🧪"))
    found = await probe.try_again()

    assert await probe.effects() == ["derrière"]
    assert (found.applied, found.dead_lettered, found.skipped) == (1, 1, 1)
    probe.publish("ensuite", who=4)
    await probe.take()
    assert await probe.effects() == ["derrière", "ensuite"]
    (letter,) = await probe.letters(everything=True)
    assert (letter.state, letter.reason, letter.decided_by, letter.decided_at) == (
        ("skipped", "un essai du tuteur 🧪", member(9), decided)
    )


async def test_the_audit_keeps_who_decided_what_of_which_and_why(probe: Probe) -> None:
    one, two = await _dead(probe, "poison", "poison autre")
    (first,) = [e for e in await probe.letters() if e.place == one]

    await probe.decide(Decision("skip", (one,), reason="du bruit"))
    await probe.decide(Decision("replay", everything=True))

    skipped, replayed = await probe.rows(AUDIT)
    assert (skipped["member_id"], skipped["action"]) == (member(9), "dead_letters.skip")
    assert skipped["subject"] == first.event_id
    assert json.loads(skipped["details"]) == {
        "group": GROUP,
        "letters": 1,
        "which": str(one),
        "reason": "du bruit",
    }
    assert replayed["action"] == "dead_letters.replay"
    assert json.loads(replayed["details"])["which"] == "everything"
    assert two in [letter.place for letter in await probe.letters(everything=True)]


@pytest.mark.parametrize("reason", [None, "", "  "])
async def test_nobody_skips_without_a_reason(probe: Probe, reason: str | None) -> None:
    (place,) = await _dead(probe, "poison")
    with pytest.raises(ReasonMissing):
        await probe.decide(Decision("skip", (place,), reason=reason))
    assert [letter.place for letter in await probe.letters()] == [place]


@pytest.mark.parametrize(
    "wish",
    [
        Decision("replay"),
        Decision("replay", cause=""),
        Decision("replay", (Place(TOPIC, 0, 0),), "Error"),
        Decision("replay", cause="Error", everything=True),
    ],
)
async def test_which_are_meant_is_said_in_exactly_one_way(probe: Probe, wish: Decision) -> None:
    with pytest.raises(Invalid):
        await probe.decide(wish)


async def test_many_are_replayed_by_what_their_cause_holds_and_the_others_stay(
    probe: Probe,
) -> None:
    await _dead(probe, "poison 1", "poison 22", "poison 'é' autre")
    probe.mended = True

    done = await probe.decide(Decision("replay", cause="digest …"))
    await probe.try_again()

    assert [(cause.cause, cause.letters) for cause in done.causes] == [
        ("RuntimeError: cannot digest …", 2)
    ]
    first, behind, second, last = await probe.effects()
    assert {first, second} == {"poison 1", "poison 22"}
    assert behind == last == "derrière"
    (left,) = await probe.letters()
    assert left.cause == "RuntimeError: cannot digest 'é' autre"
    assert (await probe.decide(Decision("replay", cause="'é'"))).causes[0].letters == 1
    assert (await probe.decide(Decision("replay", cause="%"))).causes == []


async def test_a_dry_run_says_what_would_be_done_and_does_nothing(probe: Probe) -> None:
    await _dead(probe, "poison", "poison 2")
    before = await probe.rows("SELECT * FROM parked ORDER BY 3, 4")

    for kind in ("replay", "skip"):
        done = await probe.decide(Decision(kind, everything=True, dry_run=True))
        assert [(c.letters, c.keys, c.waiting) for c in done.causes] == [(1, 1, 1), (1, 1, 1)]

    assert await probe.rows("SELECT * FROM parked ORDER BY 3, 4") == before
    assert await probe.rows(AUDIT) == []


async def test_only_a_dead_letter_can_be_decided_on_and_all_of_them_or_none(probe: Probe) -> None:
    (place,) = await _dead(probe, "poison")
    for other in (Place(TOPIC, place.partition, 99), Place(TOPIC, place.partition, 1)):
        with pytest.raises(DeadLetterNotFound):
            await probe.decide(Decision("replay", (place, other)))
    assert [letter.place for letter in await probe.letters()] == [place]


async def test_replay_while_the_group_reads_and_retries_keeps_the_order_of_the_key(
    probe: Probe,
) -> None:
    (place,) = await _dead(probe, "poison")
    probe.mended = True
    reader, other = probe.consumer(), probe.consumer()
    for number in range(20):
        probe.publish(f"{number}", who=100)
    await asyncio.gather(
        probe.take(reader),
        probe.decide(Decision("replay", (place,))),
        *(ParkedKeys(each).retry() for each in (reader, other)),
    )
    await asyncio.gather(*(ParkedKeys(each).retry() for each in (reader, other)))
    await probe.try_again()

    assert await probe.effects() == ["poison", "derrière", *(f"{n}" for n in range(20))]


async def test_an_operator_may_accept_so_many_failures(probe: Probe) -> None:
    who = caller(who=member(9))
    probe.limit = Limit(failures=2)
    await _stopped(probe, 5)

    async with probe.database.unit(who) as unit:
        before = await resume(unit, GROUP, who, failures=7)
    found = await probe.take()

    assert before.cause == "5 of 5 events failed: 5 × RuntimeError: cannot digest"
    assert (found.parked, found.halt.since, found.halt.accept_failures) == (5, None, 2)
    (row,) = await probe.rows(AUDIT)
    assert (row["action"], row["member_id"]) == ("consumer.resumed", member(9))
    assert json.loads(row["details"])["accept_failures"] == 7
    await _stopped(probe, 5, first=200)


async def test_an_operator_may_accept_whatever_fails_for_a_while(probe: Probe) -> None:
    who = caller(who=member(9))
    probe.limit = Limit(failures=2)
    await _stopped(probe, 5)
    async with probe.database.unit(who) as unit:
        await resume(unit, GROUP, who, period=NOON.replace(minute=10) - NOON)

    for first in (200, 300):
        for number in range(5):
            probe.publish("poison", who=first + number)
        await probe.take()

    assert (await probe.ledger(probe.consumer())).parked == 15
    probe.clock.forward(minutes=10)
    await _stopped(probe, 5, first=400)


async def test_resumed_without_more_it_is_judged_anew(probe: Probe) -> None:
    who = caller(who=member(9))
    async with probe.database.unit(who) as unit:
        with pytest.raises(NotStopped):
            await resume(unit, GROUP, who)
    probe.limit = Limit(failures=2)
    await _stopped(probe, 5)
    async with probe.database.unit(who) as unit:
        await resume(unit, GROUP, who)

    assert (await probe.ledger(probe.consumer())).halt.since is None
    await _stopped(probe, 0)


async def _stopped(probe: Probe, number: int, first: int = 1) -> None:
    for each in range(number):
        probe.publish("poison", who=first + each)
    with pytest.raises(Exception, match="stopped: "):
        await probe.take()


async def _dead(probe: Probe, *words: str) -> list[Place]:
    """Let these die, each with one more event waiting behind it; give where they stand."""
    for number, each in enumerate(words):
        probe.publish(each, who=100 + number)
        probe.publish("derrière", who=100 + number)
    await probe.take()
    await probe.try_again()
    await probe.try_again()
    by_cause = {letter.cause: letter.place for letter in await probe.letters()}
    return [by_cause["RuntimeError: cannot digest" + each[6:]] for each in words]
