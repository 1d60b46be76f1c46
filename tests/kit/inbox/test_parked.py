"""What cannot be applied is set aside, its key waits behind it, and nothing else does."""

import pytest

from shared.kit.bus.port import Redeliver
from shared.kit.inbox.report import letters
from shared.kit.inbox.retry import DeadLetterNotFound, ParkedKeys, Place
from tests.kit.probe import GROUP, Probe

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


async def test_a_bad_event_is_parked_its_key_waits_and_the_others_go_on(probe: Probe) -> None:
    probe.publish("avant", who=1)
    probe.publish("poison", who=1)
    probe.publish("après", who=1)
    for number in range(2, 12):
        probe.publish(f"autre {number}", who=number)

    found = await probe.take()

    assert sorted(await probe.effects()) == sorted(
        ["avant", *(f"autre {number}" for number in range(2, 12))]
    )
    assert (found.applied, found.parked, found.dead_lettered, found.lag) == (11, 2, 0, 0)


async def test_what_comes_later_waits_too_and_all_goes_in_order_once_it_is_mended(
    probe: Probe,
) -> None:
    probe.publish("poison")
    await probe.take()
    probe.publish("deux")
    probe.publish("trois")
    assert (await probe.take()).parked == 3
    probe.mended = True

    found = await probe.try_again()

    assert await probe.effects() == ["poison", "deux", "trois"]
    assert (found.applied, found.parked) == (3, 0)


async def test_it_is_not_tried_before_its_time(probe: Probe) -> None:
    probe.publish("poison")
    reader = probe.consumer()
    await probe.take(reader)
    probe.mended = True

    assert await ParkedKeys(reader).retry() == 0
    probe.clock.forward(seconds=1)
    assert await ParkedKeys(reader).retry() == 1


async def test_what_a_failed_event_did_before_it_failed_is_undone(probe: Probe) -> None:
    probe.publish("poison")
    probe.publish("answer", who=2)

    await probe.take()

    assert await probe.effects() == ["answer"]
    (answer,) = await probe.outbox()
    assert answer.type == "identity.member.reinstated.v1"


async def test_out_of_attempts_it_leaves_as_a_dead_letter_with_its_cause(probe: Probe) -> None:
    event = probe.publish("poison", who=3)
    probe.publish("derrière", who=3)
    await probe.take()
    await probe.try_again()
    found = await probe.try_again()

    (letter,) = await probe.outbox()
    assert (found.parked, found.dead_lettered) == (1, 1)
    assert (letter.type, str(letter.causeid)) == ("preau.dead_letter.v1", str(event))
    (row,) = await probe.rows("SELECT topic FROM outbox")
    assert row["topic"] == f"dead.{GROUP}"
    told = bytes(letter.data).decode()
    for part in ("RuntimeError: cannot digest", "Traceback", '"attempts":3', "poison", "identity"):
        assert part in told
    await probe.try_again()
    assert len(await probe.outbox()) == 1
    assert await probe.effects() == []


async def test_what_can_never_be_right_is_dead_at_once(probe: Probe) -> None:
    probe.publish("invalid")
    probe.publish("derrière")

    found = await probe.take()

    assert (found.dead_lettered, found.parked) == (1, 1)
    assert len(await probe.outbox()) == 1
    assert await probe.effects() == []


async def test_what_can_never_be_right_is_dead_at_once_behind_another_too(probe: Probe) -> None:
    probe.publish("poison")
    probe.publish("invalid")
    await probe.take()
    probe.mended = True

    found = await probe.try_again()

    assert (found.applied, found.dead_lettered, found.parked) == (1, 1, 0)


async def test_replay_tries_it_again_in_this_group_and_what_waits_behind_it(probe: Probe) -> None:
    place = await _dead(probe)
    probe.mended = True
    reader = probe.consumer()

    await ParkedKeys(reader).decide(place, "parked")
    found = await probe.try_again(reader)

    assert await probe.effects() == ["poison", "derrière"]
    assert (found.published, found.applied, found.dead_lettered) == (2, 2, 0)


async def test_a_replay_that_fails_again_is_a_dead_letter_again(probe: Probe) -> None:
    place = await _dead(probe)
    reader = probe.consumer()

    await ParkedKeys(reader).decide(place, "parked")
    await probe.try_again(reader)
    await probe.try_again(reader)
    found = await probe.try_again(reader)

    assert (found.dead_lettered, found.parked) == (1, 1)
    assert len(await probe.outbox()) == 2


async def test_skip_leaves_it_out_for_good_and_its_key_goes_on(probe: Probe) -> None:
    place = await _dead(probe)
    reader = probe.consumer()

    await ParkedKeys(reader).decide(place, "skipped")
    found = await probe.try_again(reader)

    assert await probe.effects() == ["derrière"]
    assert (found.applied, found.dead_lettered) == (1, 1)
    probe.publish("ensuite", who=4)
    await probe.take()
    assert await probe.effects() == ["derrière", "ensuite"]
    assert [letter.state for letter in await letters(reader, everything=True)] == ["skipped"]


async def test_only_a_dead_letter_can_be_decided_on(probe: Probe) -> None:
    place = await _dead(probe)
    keys = ParkedKeys(probe.consumer())

    for other in (Place(place.topic, place.partition, 99), Place(place.topic, place.partition, 1)):
        with pytest.raises(DeadLetterNotFound):
            await keys.decide(other, "parked")


async def test_when_nearly_all_fails_the_reader_stops_instead_of_emptying_the_topic(
    probe: Probe,
) -> None:
    for number in range(30):
        probe.publish("poison", who=number)
    reader = probe.consumer()

    with pytest.raises(Redeliver):
        await probe.take(reader)

    found = await probe.ledger(reader)
    assert (found.lag, found.parked) == (30, 0)
    assert found.halted == "30 of 30 events failed at once"
    probe.mended = True
    found = await probe.take(reader)
    assert (found.applied, found.halted) == (30, None)


async def _dead(probe: Probe) -> Place:
    probe.publish("poison", who=4)
    probe.publish("derrière", who=4)
    await probe.take()
    await probe.try_again()
    await probe.try_again()
    (letter,) = await letters(probe.consumer(), everything=False)
    return Place(letter.topic, letter.partition, letter.offset)
