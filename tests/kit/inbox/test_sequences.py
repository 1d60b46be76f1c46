"""A record of identity's topics with a sequence that is not the next one is refused, and said."""

from collections import Counter
from uuid import uuid4

import msgspec
import pytest

from shared.contracts.event import encode
from shared.contracts.identity import MemberReinstated, MemberSuspended
from shared.kit.core.bus import Incoming, Partition
from shared.kit.inbox.dead_letters.decisions import Decision
from shared.kit.inbox.sequences import REFUSED
from shared.kit.telemetry.noop import NoTelemetry
from tests.support.inbox_harness import LYON, RENNES, TOPIC, Probe, envelope_of, member

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


class Refusals(NoTelemetry):
    """Keeps what was refused, by topic."""

    def __init__(self) -> None:
        self.topics: Counter[str] = Counter()

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        if name == "preau.consumer.refused":
            self.topics[labels["topic"]] += int(amount)


@pytest.mark.parametrize("sequence", ["0000000001", "0000000002", "0000000004", "0000000007"])
async def test_only_the_next_sequence_of_a_key_is_applied(probe: Probe, sequence: str) -> None:
    probe.publish("un")
    probe.publish("deux")
    probe.publish("faux", sequence=sequence)
    reader, telemetry = probe.consumer(), Refusals()
    reader.telemetry = telemetry

    found = await probe.take(reader)

    assert await probe.effects() == ["un", "deux"]
    assert (found.applied, found.dead_lettered, found.refused) == (2, 1, 1)
    (letter,) = await probe.letters()
    expected = f"refused: sequence {int(sequence)} where 3 is next: "
    assert (letter.cause or "").startswith(expected)
    assert telemetry.topics == {TOPIC: 1}


async def test_true_events_go_on_behind_a_refused_one_in_the_same_and_in_later_batches(
    probe: Probe,
) -> None:
    probe.publish("un")
    forged(probe, sequence="0000000009")
    probe.publish("deux")
    await probe.take()
    forged(probe, sequence="0000000001")
    probe.publish("trois")

    found = await probe.take()

    assert await probe.effects() == ["un", "deux", "trois"]
    assert (found.applied, found.refused, found.parked) == (3, 2, 0)


async def test_a_forger_who_guesses_the_next_is_shown_by_the_true_one(probe: Probe) -> None:
    """The limit of a sequence: access to the broker must prevent the rest."""
    probe.publish("un")
    forged(probe, sequence="0000000002")
    probe.publish("deux")

    found = await probe.take()

    assert await probe.effects() == ["un", "faux"]
    assert found.refused == 1


async def test_the_first_of_a_key_must_be_one_where_the_log_is_whole(probe: Probe) -> None:
    forged(probe, sequence="0000000002")

    found = await probe.take()

    assert (found.applied, found.refused) == (0, 1)


async def test_keys_of_members_and_tenants_are_counted_apart(probe: Probe) -> None:
    for who in (1, 2, 3):
        for tenant in (RENNES, LYON):
            probe.publish(f"{who}", who=who, tenant=tenant)
            probe.publish(f"{who}", who=who, tenant=tenant)

    assert (await probe.take()).applied == 12


async def test_an_event_again_is_a_duplicate_as_before(probe: Probe) -> None:
    event_id = probe.publish("un")
    probe.publish("deux")
    await probe.take()
    probe.publish("un", event_id=event_id, sequence="0000000001")
    probe.sequences[RENNES, 1] = 2
    probe.publish("trois")

    found = await probe.take()

    assert (found.applied, found.duplicate, found.refused) == (3, 1, 0)


async def test_two_versions_of_one_event_take_two_sequences(probe: Probe) -> None:
    event_id = probe.publish("un")
    probe.publish("un", event_id=event_id)
    probe.publish("deux")

    found = await probe.take()

    assert (found.applied, found.duplicate, found.refused) == (2, 1, 0)


async def test_types_that_the_group_ignores_take_their_sequence_too(probe: Probe) -> None:
    probe.publish("un")
    ignored(probe, sequence="0000000002")
    probe.next_of(1)
    probe.publish("trois")
    ignored(probe, sequence="0000000009")
    probe.publish("quatre")

    found = await probe.take()

    assert (found.applied, found.ignored, found.refused) == (3, 2, 0)


async def test_an_event_whose_data_cannot_be_read_takes_its_sequence_too(probe: Probe) -> None:
    probe.publish("un")
    probe.publish("deux", data='{"member_id": 5}')
    probe.publish("trois")

    found = await probe.take()

    assert (found.applied, found.dead_lettered, found.refused) == (2, 1, 0)


@pytest.mark.parametrize("source", ["/preau/community", "/preau/identity/", "", "http://evil"])
async def test_another_source_is_refused_whatever_its_sequence(probe: Probe, source: str) -> None:
    forged(probe, sequence="0000000001", source=source)
    probe.publish("un")

    found = await probe.take()

    assert await probe.effects() == ["un"]
    assert found.refused == 1


@pytest.mark.parametrize("sequence", ["-1", "9" * 30, "1_0", " 1", "٣", "1e3", ""])
async def test_what_is_no_sequence_is_unreadable(probe: Probe, sequence: str) -> None:
    forged(probe, sequence=sequence)
    probe.publish("un")

    found = await probe.take()

    assert (found.applied, found.dead_lettered) == (1, 1)


async def test_a_parked_event_keeps_its_sequence_and_the_key_waits(probe: Probe) -> None:
    probe.publish("poison")
    probe.publish("deux")
    forged(probe, sequence="0000000002")
    await probe.take()
    probe.publish("trois")
    await probe.take()
    probe.mended = True

    found = await probe.try_again()

    assert await probe.effects() == ["poison", "deux", "trois"]
    assert (found.applied, found.refused) == (3, 1)


async def test_a_dead_event_that_is_skipped_does_not_break_the_chain(probe: Probe) -> None:
    probe.publish("invalid")
    probe.publish("deux")
    await probe.take()
    await probe.decide(Decision("skip", everything=True, reason="un essai"))
    probe.publish("trois")
    await probe.take()

    found = await probe.try_again()

    assert await probe.effects() == ["deux", "trois"]
    assert (found.applied, found.refused) == (2, 0)


async def test_an_operator_replays_a_genuine_one_by_its_place_and_the_sequence_goes_on(
    probe: Probe,
) -> None:
    probe.publish("un")
    probe.sequences[RENNES, 1] = 6
    probe.publish("sept")
    probe.publish("huit")
    await probe.take()
    seven, eight = await probe.letters()

    for letter in (seven, eight):
        await probe.decide(Decision("replay", places=(letter.place,)))
    await probe.try_again()
    probe.publish("neuf")
    found = await probe.take()

    assert await probe.effects() == ["un", "sept", "huit", "neuf"]
    assert (found.applied, found.refused) == (4, 0)


@pytest.mark.parametrize("wish", [{"everything": True}, {"cause": REFUSED}])
async def test_refused_ones_are_not_replayed_with_others(
    probe: Probe, wish: dict[str, object]
) -> None:
    forged(probe, sequence="0000000005")
    await probe.take()

    decided = await probe.decide(Decision("replay", **wish))  # type: ignore[arg-type]  # one of both

    assert decided.unreadable == 1
    await probe.try_again()
    assert await probe.effects() == []
    assert len(await probe.letters()) == 1


async def test_a_skipped_refusal_changes_nothing_of_the_chain(probe: Probe) -> None:
    probe.publish("un")
    forged(probe, sequence="0000000005")
    await probe.take()
    await probe.decide(Decision("skip", everything=True, reason="forged"))
    probe.publish("deux")

    found = await probe.take()

    assert await probe.effects() == ["un", "deux"]
    assert found.refused == 0


async def test_a_group_whose_sequences_are_new_adopts_the_first_of_each_key(probe: Probe) -> None:
    probe.publish("un")
    probe.publish("deux")
    await probe.take()
    await probe.rows("UPDATE positions SET whole = false")
    await probe.rows("DELETE FROM sequences")
    probe.publish("trois")
    forged(probe, sequence="0000000002")
    forged(probe, sequence="0000000009")

    found = await probe.take()

    assert await probe.effects() == ["un", "deux", "trois"]
    assert (found.applied, found.refused) == (3, 2)


async def test_a_partition_whose_first_records_are_gone_adopts_too(probe: Probe) -> None:
    reader = probe.consumer()
    place = Partition(TOPIC, 0)
    probe.sequences[RENNES, 1] = 4
    probe.publish("cinq")
    (record,) = await probe.waiting({Partition(TOPIC, n): 0 for n in range(4)})
    await reader.assigned([place])
    await probe.rows("UPDATE positions SET began = 7, next_offset = 7, whole = false")
    await reader.assigned([place])

    await reader.handle([Incoming(place, 7, record.key, record.value)])

    assert await probe.effects() == ["cinq"]


def forged(probe: Probe, *, sequence: str, source: str = "/preau/identity") -> None:
    """Put a record of the first member on the topic that no outbox wrote."""
    fact = MemberSuspended(member_id=member(1), reason="faux")
    fields = msgspec.json.decode(encode(envelope_of(fact, RENNES, uuid4())))
    fields |= {"sequence": sequence, "source": source}
    probe.put(f"{RENNES}:{member(1)}".encode(), msgspec.json.encode(fields))


def ignored(probe: Probe, *, sequence: str) -> None:
    """Put a fact that the group does not react to behind it, on the same key."""
    fact = MemberReinstated(member_id=member(1))
    fields = msgspec.json.decode(encode(envelope_of(fact, RENNES, uuid4())))
    key = f"{RENNES}:{member(1)}"
    fields |= {"sequence": sequence, "partitionkey": key}
    probe.put(key.encode(), msgspec.json.encode(fields))
