"""A record of identity's topics with a sequence that is not the next one is refused, and said."""

from collections import Counter
from uuid import uuid4

import msgspec
import pytest

from shared.contracts.event import encode
from shared.contracts.identity import MemberReinstated, MemberSuspended
from shared.kit.core.bus import IncomingRecord, Partition
from shared.kit.inbox.dead_letters.decisions import DeadLetterDecision
from shared.kit.inbox.sequences import REFUSED
from shared.kit.telemetry.noop import NoTelemetry
from tests.support.inbox_harness import LYON, RENNES, TOPIC, InboxHarness, envelope_of, member_id

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


class Refusals(NoTelemetry):
    """Keeps what was refused, by topic."""

    def __init__(self) -> None:
        self.topics: Counter[str] = Counter()

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        if name == "preau.consumer.refused":
            self.topics[labels["topic"]] += int(amount)


@pytest.mark.parametrize("sequence", ["0000000001", "0000000002", "0000000004", "0000000007"])
async def test_only_the_next_sequence_of_a_key_is_applied(
    probe: InboxHarness, sequence: str
) -> None:
    probe.publish("un")
    probe.publish("deux")
    probe.publish("faux", sequence=sequence)
    reader, telemetry = probe.consumer(), Refusals()
    reader.telemetry = telemetry

    found = await probe.consume_all(reader)

    assert await probe.effects() == ["un", "deux"]
    assert (found.applied, found.dead_lettered, found.refused) == (2, 1, 1)
    (letter,) = await probe.list_dead_letters()
    expected = f"refused: sequence {int(sequence)} where 3 is next: "
    assert (letter.cause or "").startswith(expected)
    assert telemetry.topics == {TOPIC: 1}


async def test_genuine_events_are_applied_after_a_rejected_one(
    probe: InboxHarness,
) -> None:
    probe.publish("un")
    forged(probe, sequence="0000000009")
    probe.publish("deux")
    await probe.consume_all()
    forged(probe, sequence="0000000001")
    probe.publish("trois")

    found = await probe.consume_all()

    assert await probe.effects() == ["un", "deux", "trois"]
    assert (found.applied, found.refused, found.parked) == (3, 2, 0)


async def test_guessed_sequence_is_detected_by_the_genuine_event(probe: InboxHarness) -> None:
    """The limit of a sequence: access to the broker must prevent the rest."""
    probe.publish("un")
    forged(probe, sequence="0000000002")
    probe.publish("deux")

    found = await probe.consume_all()

    assert await probe.effects() == ["un", "faux"]
    assert found.refused == 1


async def test_first_sequence_must_be_one_in_a_whole_log(probe: InboxHarness) -> None:
    forged(probe, sequence="0000000002")

    found = await probe.consume_all()

    assert (found.applied, found.refused) == (0, 1)


async def test_each_member_and_tenant_has_its_own_sequence(probe: InboxHarness) -> None:
    for who in (1, 2, 3):
        for tenant in (RENNES, LYON):
            probe.publish(f"{who}", member=who, tenant=tenant)
            probe.publish(f"{who}", member=who, tenant=tenant)

    assert (await probe.consume_all()).applied == 12


async def test_repeated_event_is_a_duplicate_not_rejected(probe: InboxHarness) -> None:
    event_id = probe.publish("un")
    probe.publish("deux")
    await probe.consume_all()
    probe.publish("un", event_id=event_id, sequence="0000000001")
    probe.sequences[RENNES, 1] = 2
    probe.publish("trois")

    found = await probe.consume_all()

    assert (found.applied, found.duplicate, found.refused) == (3, 1, 0)


async def test_two_versions_of_one_event_use_two_sequences(probe: InboxHarness) -> None:
    event_id = probe.publish("un")
    probe.publish("un", event_id=event_id)
    probe.publish("deux")

    found = await probe.consume_all()

    assert (found.applied, found.duplicate, found.refused) == (2, 1, 0)


async def test_ignored_types_use_their_sequence(probe: InboxHarness) -> None:
    probe.publish("un")
    ignored(probe, sequence="0000000002")
    probe.next_sequence(1)
    probe.publish("trois")
    ignored(probe, sequence="0000000009")
    probe.publish("quatre")

    found = await probe.consume_all()

    assert (found.applied, found.ignored, found.refused) == (3, 2, 0)


async def test_event_with_unreadable_data_uses_its_sequence(
    probe: InboxHarness,
) -> None:
    probe.publish("un")
    probe.publish("deux", data='{"member_id": 5}')
    probe.publish("trois")

    found = await probe.consume_all()

    assert (found.applied, found.dead_lettered, found.refused) == (2, 1, 0)


@pytest.mark.parametrize("source", ["/preau/community", "/preau/identity/", "", "http://evil"])
async def test_record_of_another_source_is_rejected(probe: InboxHarness, source: str) -> None:
    forged(probe, sequence="0000000001", source=source)
    probe.publish("un")

    found = await probe.consume_all()

    assert await probe.effects() == ["un"]
    assert found.refused == 1


@pytest.mark.parametrize("sequence", ["-1", "9" * 30, "1_0", " 1", "٣", "1e3", ""])
async def test_malformed_sequence_is_unreadable(probe: InboxHarness, sequence: str) -> None:
    forged(probe, sequence=sequence)
    probe.publish("un")

    found = await probe.consume_all()

    assert (found.applied, found.dead_lettered) == (1, 1)


async def test_parked_event_uses_its_sequence_and_blocks_its_key(probe: InboxHarness) -> None:
    probe.publish("poison")
    probe.publish("deux")
    forged(probe, sequence="0000000002")
    await probe.consume_all()
    probe.publish("trois")
    await probe.consume_all()
    probe.fixed = True

    found = await probe.retry_parked()

    assert await probe.effects() == ["poison", "deux", "trois"]
    assert (found.applied, found.refused) == (3, 1)


async def test_skipped_dead_event_does_not_break_the_sequence(probe: InboxHarness) -> None:
    probe.publish("invalid")
    probe.publish("deux")
    await probe.consume_all()
    await probe.decide(DeadLetterDecision("skip", everything=True, reason="un essai"))
    probe.publish("trois")
    await probe.consume_all()

    found = await probe.retry_parked()

    assert await probe.effects() == ["deux", "trois"]
    assert (found.applied, found.refused) == (2, 0)


async def test_replay_by_position_continues_the_sequence(
    probe: InboxHarness,
) -> None:
    probe.publish("un")
    probe.sequences[RENNES, 1] = 6
    probe.publish("sept")
    probe.publish("huit")
    await probe.consume_all()
    seven, eight = await probe.list_dead_letters()

    for letter in (seven, eight):
        await probe.decide(DeadLetterDecision("replay", positions=(letter.position,)))
    await probe.retry_parked()
    probe.publish("neuf")
    found = await probe.consume_all()

    assert await probe.effects() == ["un", "sept", "huit", "neuf"]
    assert (found.applied, found.refused) == (4, 0)


@pytest.mark.parametrize("wish", [{"everything": True}, {"cause": REFUSED}])
async def test_rejected_records_are_not_replayed_by_cause_or_all(
    probe: InboxHarness, wish: dict[str, object]
) -> None:
    forged(probe, sequence="0000000005")
    await probe.consume_all()

    decided = await probe.decide(DeadLetterDecision("replay", **wish))  # type: ignore[arg-type]  # one of both

    assert decided.unreadable == 1
    await probe.retry_parked()
    assert await probe.effects() == []
    assert len(await probe.list_dead_letters()) == 1


async def test_skipped_rejected_record_does_not_change_the_sequence(probe: InboxHarness) -> None:
    probe.publish("un")
    forged(probe, sequence="0000000005")
    await probe.consume_all()
    await probe.decide(DeadLetterDecision("skip", everything=True, reason="forged"))
    probe.publish("deux")

    found = await probe.consume_all()

    assert await probe.effects() == ["un", "deux"]
    assert found.refused == 0


async def test_group_without_stored_sequences_adopts_the_first_of_each_key(
    probe: InboxHarness,
) -> None:
    probe.publish("un")
    probe.publish("deux")
    await probe.consume_all()
    await probe.query("UPDATE positions SET whole = false")
    await probe.query("DELETE FROM sequences")
    probe.publish("trois")
    forged(probe, sequence="0000000002")
    forged(probe, sequence="0000000009")

    found = await probe.consume_all()

    assert await probe.effects() == ["un", "deux", "trois"]
    assert (found.applied, found.refused) == (3, 2)


async def test_partition_with_deleted_first_records_adopts_sequences(probe: InboxHarness) -> None:
    reader = probe.consumer()
    place = Partition(TOPIC, 0)
    probe.sequences[RENNES, 1] = 4
    probe.publish("cinq")
    (record,) = await probe.fetch_from({Partition(TOPIC, n): 0 for n in range(4)})
    await reader.on_assigned([place])
    await probe.query("UPDATE positions SET began = 7, next_offset = 7, whole = false")
    await reader.on_assigned([place])

    await reader.handle([IncomingRecord(place, 7, record.key, record.value)])

    assert await probe.effects() == ["cinq"]


def forged(probe: InboxHarness, *, sequence: str, source: str = "/preau/identity") -> None:
    """Put a record of the first member on the topic that no outbox wrote."""
    fact = MemberSuspended(member_id=member_id(1), reason="faux")
    fields = msgspec.json.decode(encode(envelope_of(fact, RENNES, uuid4())))
    fields |= {"sequence": sequence, "source": source}
    probe.append(f"{RENNES}:{member_id(1)}".encode(), msgspec.json.encode(fields))


def ignored(probe: InboxHarness, *, sequence: str) -> None:
    """Put a fact that the group does not react to behind it, on the same key."""
    fact = MemberReinstated(member_id=member_id(1))
    fields = msgspec.json.decode(encode(envelope_of(fact, RENNES, uuid4())))
    key = f"{RENNES}:{member_id(1)}"
    fields |= {"sequence": sequence, "partitionkey": key}
    probe.append(key.encode(), msgspec.json.encode(fields))
