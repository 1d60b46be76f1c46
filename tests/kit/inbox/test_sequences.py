"""A record of identity's topics whose sequence is not the next one is rejected and reported."""

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


class RejectionTelemetry(NoTelemetry):
    """Counts rejected records by topic."""

    def __init__(self) -> None:
        self.topics: Counter[str] = Counter()

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        if name == "preau.consumer.refused":
            self.topics[labels["topic"]] += int(amount)


@pytest.mark.parametrize("sequence", ["0000000001", "0000000002", "0000000004", "0000000007"])
async def test_only_the_next_sequence_of_a_key_is_applied(
    harness: InboxHarness, sequence: str
) -> None:
    harness.publish("un")
    harness.publish("deux")
    harness.publish("faux", sequence=sequence)
    consumer, telemetry = harness.consumer(), RejectionTelemetry()
    consumer.telemetry = telemetry

    counts = await harness.consume_all(consumer)

    assert await harness.effects() == ["un", "deux"]
    assert (counts.applied, counts.dead_lettered, counts.refused) == (2, 1, 1)
    (letter,) = await harness.list_dead_letters()
    expected = f"refused: sequence {int(sequence)} where 3 is next: "
    assert (letter.cause or "").startswith(expected)
    assert telemetry.topics == {TOPIC: 1}


async def test_genuine_events_are_applied_after_a_rejected_one(
    harness: InboxHarness,
) -> None:
    harness.publish("un")
    publish_forged(harness, sequence="0000000009")
    harness.publish("deux")
    await harness.consume_all()
    publish_forged(harness, sequence="0000000001")
    harness.publish("trois")

    counts = await harness.consume_all()

    assert await harness.effects() == ["un", "deux", "trois"]
    assert (counts.applied, counts.refused, counts.parked) == (3, 2, 0)


async def test_guessed_sequence_is_detected_by_the_genuine_event(harness: InboxHarness) -> None:
    """A sequence cannot prevent this; the ACLs of the broker must."""
    harness.publish("un")
    publish_forged(harness, sequence="0000000002")
    harness.publish("deux")

    counts = await harness.consume_all()

    assert await harness.effects() == ["un", "faux"]
    assert counts.refused == 1


async def test_first_sequence_must_be_one_in_a_whole_log(harness: InboxHarness) -> None:
    publish_forged(harness, sequence="0000000002")

    counts = await harness.consume_all()

    assert (counts.applied, counts.refused) == (0, 1)


async def test_each_member_and_tenant_has_its_own_sequence(harness: InboxHarness) -> None:
    for member in (1, 2, 3):
        for tenant in (RENNES, LYON):
            harness.publish(f"{member}", member=member, tenant=tenant)
            harness.publish(f"{member}", member=member, tenant=tenant)

    assert (await harness.consume_all()).applied == 12


async def test_repeated_event_is_a_duplicate_not_rejected(harness: InboxHarness) -> None:
    event_id = harness.publish("un")
    harness.publish("deux")
    await harness.consume_all()
    harness.publish("un", event_id=event_id, sequence="0000000001")
    harness.sequences[RENNES, 1] = 2
    harness.publish("trois")

    counts = await harness.consume_all()

    assert (counts.applied, counts.duplicate, counts.refused) == (3, 1, 0)


async def test_two_versions_of_one_event_use_two_sequences(harness: InboxHarness) -> None:
    event_id = harness.publish("un")
    harness.publish("un", event_id=event_id)
    harness.publish("deux")

    counts = await harness.consume_all()

    assert (counts.applied, counts.duplicate, counts.refused) == (2, 1, 0)


async def test_ignored_types_use_their_sequence(harness: InboxHarness) -> None:
    harness.publish("un")
    publish_ignored(harness, sequence="0000000002")
    harness.next_sequence(1)
    harness.publish("trois")
    publish_ignored(harness, sequence="0000000009")
    harness.publish("quatre")

    counts = await harness.consume_all()

    assert (counts.applied, counts.ignored, counts.refused) == (3, 2, 0)


async def test_event_with_unreadable_data_uses_its_sequence(
    harness: InboxHarness,
) -> None:
    harness.publish("un")
    harness.publish("deux", data='{"member_id": 5}')
    harness.publish("trois")

    counts = await harness.consume_all()

    assert (counts.applied, counts.dead_lettered, counts.refused) == (2, 1, 0)


@pytest.mark.parametrize("source", ["/preau/community", "/preau/identity/", "", "http://evil"])
async def test_record_of_another_source_is_rejected(harness: InboxHarness, source: str) -> None:
    publish_forged(harness, sequence="0000000001", source=source)
    harness.publish("un")

    counts = await harness.consume_all()

    assert await harness.effects() == ["un"]
    assert counts.refused == 1


@pytest.mark.parametrize("sequence", ["-1", "9" * 30, "1_0", " 1", "٣", "1e3", ""])
async def test_malformed_sequence_is_unreadable(harness: InboxHarness, sequence: str) -> None:
    publish_forged(harness, sequence=sequence)
    harness.publish("un")

    counts = await harness.consume_all()

    assert (counts.applied, counts.dead_lettered) == (1, 1)


async def test_parked_event_uses_its_sequence_and_blocks_its_key(harness: InboxHarness) -> None:
    harness.publish("poison")
    harness.publish("deux")
    publish_forged(harness, sequence="0000000002")
    await harness.consume_all()
    harness.publish("trois")
    await harness.consume_all()
    harness.fixed = True

    counts = await harness.retry_parked()

    assert await harness.effects() == ["poison", "deux", "trois"]
    assert (counts.applied, counts.refused) == (3, 1)


async def test_skipped_dead_event_does_not_break_the_sequence(harness: InboxHarness) -> None:
    harness.publish("invalid")
    harness.publish("deux")
    await harness.consume_all()
    await harness.decide(DeadLetterDecision("skip", everything=True, reason="un essai"))
    harness.publish("trois")
    await harness.consume_all()

    counts = await harness.retry_parked()

    assert await harness.effects() == ["deux", "trois"]
    assert (counts.applied, counts.refused) == (2, 0)


async def test_replay_by_position_continues_the_sequence(
    harness: InboxHarness,
) -> None:
    harness.publish("un")
    harness.sequences[RENNES, 1] = 6
    harness.publish("sept")
    harness.publish("huit")
    await harness.consume_all()
    seven, eight = await harness.list_dead_letters()

    for letter in (seven, eight):
        await harness.decide(DeadLetterDecision("replay", positions=(letter.position,)))
    await harness.retry_parked()
    harness.publish("neuf")
    counts = await harness.consume_all()

    assert await harness.effects() == ["un", "sept", "huit", "neuf"]
    assert (counts.applied, counts.refused) == (4, 0)


@pytest.mark.parametrize("selection", [{"everything": True}, {"cause": REFUSED}])
async def test_rejected_records_are_not_replayed_by_cause_or_all(
    harness: InboxHarness, selection: dict[str, object]
) -> None:
    publish_forged(harness, sequence="0000000005")
    await harness.consume_all()

    result = await harness.decide(DeadLetterDecision("replay", **selection))  # type: ignore[arg-type]  # one of both

    assert result.unreadable == 1
    await harness.retry_parked()
    assert await harness.effects() == []
    assert len(await harness.list_dead_letters()) == 1


async def test_skipped_rejected_record_does_not_change_the_sequence(harness: InboxHarness) -> None:
    harness.publish("un")
    publish_forged(harness, sequence="0000000005")
    await harness.consume_all()
    await harness.decide(DeadLetterDecision("skip", everything=True, reason="forged"))
    harness.publish("deux")

    counts = await harness.consume_all()

    assert await harness.effects() == ["un", "deux"]
    assert counts.refused == 0


async def test_group_without_stored_sequences_adopts_the_first_of_each_key(
    harness: InboxHarness,
) -> None:
    harness.publish("un")
    harness.publish("deux")
    await harness.consume_all()
    await harness.query("UPDATE positions SET whole = false")
    await harness.query("DELETE FROM sequences")
    harness.publish("trois")
    publish_forged(harness, sequence="0000000002")
    publish_forged(harness, sequence="0000000009")

    counts = await harness.consume_all()

    assert await harness.effects() == ["un", "deux", "trois"]
    assert (counts.applied, counts.refused) == (3, 2)


async def test_partition_with_deleted_first_records_adopts_sequences(harness: InboxHarness) -> None:
    consumer = harness.consumer()
    partition = Partition(TOPIC, 0)
    harness.sequences[RENNES, 1] = 4
    harness.publish("cinq")
    (record,) = await harness.fetch_from({Partition(TOPIC, n): 0 for n in range(4)})
    await consumer.on_assigned([partition])
    await harness.query("UPDATE positions SET began = 7, next_offset = 7, whole = false")
    await consumer.on_assigned([partition])

    await consumer.handle([IncomingRecord(partition, 7, record.key, record.value)])

    assert await harness.effects() == ["cinq"]


def publish_forged(
    harness: InboxHarness, *, sequence: str, source: str = "/preau/identity"
) -> None:
    """Append a record of the first member that no outbox wrote."""
    fact = MemberSuspended(member_id=member_id(1), reason="faux")
    fields = msgspec.json.decode(encode(envelope_of(fact, RENNES, uuid4())))
    fields |= {"sequence": sequence, "source": source}
    harness.append(f"{RENNES}:{member_id(1)}".encode(), msgspec.json.encode(fields))


def publish_ignored(harness: InboxHarness, *, sequence: str) -> None:
    """Append an event that the group ignores, on the same key."""
    fact = MemberReinstated(member_id=member_id(1))
    fields = msgspec.json.decode(encode(envelope_of(fact, RENNES, uuid4())))
    key = f"{RENNES}:{member_id(1)}"
    fields |= {"sequence": sequence, "partitionkey": key}
    harness.append(key.encode(), msgspec.json.encode(fields))
