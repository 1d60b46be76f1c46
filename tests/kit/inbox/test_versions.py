"""Two versions of one event: recorded once, published as both, applied once by each group."""

from collections.abc import Sequence
from itertools import permutations

import msgspec
import pytest

from shared.contracts.event import Fact, encode
from shared.kit.database.batched.unit import BatchedDatabase
from shared.kit.inbox.decode import ConflictingVersions
from shared.kit.inbox.retry import ParkedEventRetrier
from tests.support.inbox_harness import Clock, make_caller, member_id
from tests.support.versioned_event import (
    LineSaid,
    LineSaidV1,
    LineSaidV3,
    VersionedService,
    line_said,
    line_said_v1,
)

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
V1, V2, V3 = (fact.wire_type() for fact in (LineSaidV1, LineSaid, LineSaidV3))
REPAIR_PARKED = """
    UPDATE parked SET record_value =
        convert_to(replace(convert_from(record_value, 'UTF8'), 'poison', 'remède'), 'UTF8')
"""


async def test_record_writes_both_versions_the_newest_first(
    versioned_service: VersionedService,
) -> None:
    await versioned_service.record_facts(line_said("Bonjour à tous"), line_said("Salut", member=1))

    events = await versioned_service.events()

    assert [(e.type, int(e.sequence)) for e in events] == [(V2, 1), (V1, 2), (V2, 3), (V1, 4)]
    new, old = events[:2]
    assert (new.id, new.partitionkey, new.subject) == (old.id, old.partitionkey, old.subject)
    assert (new.dataschema, old.dataschema) == (f"/schemas/{V2}", f"/schemas/{V1}")
    assert msgspec.json.decode(new.data)["words"] == ["Bonjour", "à", "tous"]
    assert msgspec.json.decode(old.data)["text"] == "Bonjour à tous"
    assert [bytes(record.value or b"") for record in await versioned_service.log()] == list(
        map(encode, events)
    )
    assert len({e.id for e in events}) == 2


async def test_three_versions_are_published_down_to_the_oldest(
    versioned_service: VersionedService,
) -> None:
    await versioned_service.record_facts(
        LineSaidV3(member_id=member_id(1), words=("Oh", "!"), loud=True)
    )

    assert [e.type for e in await versioned_service.events()] == [V3, V2, V1]
    versions: tuple[type[Fact], ...] = (LineSaidV1, LineSaid, LineSaidV3)
    for number, declared in enumerate(versions, 1):
        await versioned_service.query("TRUNCATE inbox, positions")
        counts = await versioned_service.consume(declared)
        assert (counts.applied, counts.ignored, counts.duplicate) == (1, 2, 0)
        assert len(await versioned_service.effects()) == number


async def test_version_without_dual_publish_is_not_published(
    versioned_service: VersionedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LineSaid, "DUAL_PUBLISH", False)

    await versioned_service.record_facts(line_said("Enfin seule"))

    assert [e.type for e in await versioned_service.events()] == [V2]


async def test_batched_unit_writes_both_versions_and_one_audit_row(
    versioned_service: VersionedService,
) -> None:
    async with BatchedDatabase(versioned_service.database).unit(
        make_caller(member_id=member_id(1))
    ) as unit:
        unit.record(line_said("léger"))
    await versioned_service.relay()

    assert [(e.type, int(e.sequence)) for e in await versioned_service.events()] == [
        (V2, 1),
        (V1, 2),
    ]
    rows = await versioned_service.query("SELECT action FROM audit")
    assert [row["action"] for row in rows] == [V2]


@pytest.mark.parametrize("declared", [LineSaidV1, LineSaid])
async def test_group_applies_its_version_once_and_ignores_the_other(
    versioned_service: VersionedService, declared: type[Fact]
) -> None:
    await versioned_service.record_facts(line_said("un deux"), line_said("trois", member=2))
    await versioned_service.record_facts(line_said("quatre"))

    counts = await versioned_service.consume(declared)

    lines = ["un deux", "trois", "quatre"]
    expected = lines if declared is LineSaidV1 else [line.replace(" ", "|") for line in lines]
    assert sorted(await versioned_service.effects()) == sorted(expected)
    assert (counts.applied, counts.ignored, counts.duplicate, counts.lag) == (3, 3, 0, 0)


@pytest.mark.parametrize("declared", [LineSaidV1, LineSaid])
@pytest.mark.parametrize("max_records", [1, 2, 3])
async def test_batch_may_end_between_two_versions(
    versioned_service: VersionedService, declared: type[Fact], max_records: int
) -> None:
    await versioned_service.record_facts(*(line_said(f"n° {number}") for number in range(3)))

    for _ in range(6):
        await versioned_service.consume(declared, max_records=max_records)

    counts = await versioned_service.consume(declared)
    assert (counts.applied, counts.ignored, counts.duplicate, counts.lag) == (3, 3, 0, 0)


@pytest.mark.parametrize("declared", [LineSaidV1, LineSaid])
async def test_redelivered_versions_have_no_second_effect(
    versioned_service: VersionedService, declared: type[Fact]
) -> None:
    await versioned_service.record_facts(line_said("une fois"))
    for event in await versioned_service.events():
        await versioned_service.append(event)

    counts = await versioned_service.consume(declared)

    assert len(await versioned_service.effects()) == 1
    assert (counts.applied, counts.ignored, counts.duplicate) == (1, 2, 1)


@pytest.mark.parametrize("versions", list(permutations((LineSaidV1, LineSaid))))
async def test_group_that_changes_version_applies_the_event_once(
    versioned_service: VersionedService, versions: Sequence[type[Fact]]
) -> None:
    """A deployment, or its rollback, between the two records."""
    await versioned_service.record_facts(line_said("au milieu"))

    await versioned_service.consume(versions[0], max_records=1)
    counts = await versioned_service.consume(versions[1])

    assert [words.replace("|", " ") for words in await versioned_service.effects()] == ["au milieu"]
    assert (counts.applied, counts.lag) == (1, 0)


async def test_new_version_reads_events_of_the_old_one(
    versioned_service: VersionedService,
) -> None:
    await versioned_service.record_facts(line_said_v1("il était une fois"))
    await versioned_service.record_facts(line_said("et puis"))

    counts = await versioned_service.consume(LineSaid)

    assert await versioned_service.effects() == ["il|était|une|fois", "et|puis"]
    assert (counts.applied, counts.ignored) == (2, 1)


async def test_old_event_is_upcast_through_every_version(
    versioned_service: VersionedService,
) -> None:
    await versioned_service.record_facts(line_said_v1("Oh !"))
    consumer = versioned_service.consumer(LineSaidV3)

    fact = consumer.decoders[V1](
        msgspec.Raw(b'{"member_id":"%b","text":"Oh !"}' % _member_id_json())
    )

    assert fact == LineSaidV3(member_id=member_id(1), words=("Oh", "!"), loud=True)
    assert (await versioned_service.consume(LineSaidV3)).applied == 1


async def test_failed_upcast_is_dead_lettered_and_stops_no_other_event(
    versioned_service: VersionedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(cls: type[LineSaid], old: LineSaidV1) -> LineSaid:
        raise KeyError("un bogue")

    monkeypatch.setattr(LineSaid, "upcast", classmethod(broken))
    await versioned_service.record_facts(line_said_v1("perdu"))
    monkeypatch.setattr(LineSaid, "DUAL_PUBLISH", False)
    await versioned_service.record_facts(line_said("après"))

    counts = await versioned_service.consume(LineSaid)

    assert await versioned_service.effects() == ["après"]
    assert (counts.applied, counts.dead_lettered) == (1, 1)
    (row,) = await versioned_service.query("SELECT cause FROM parked")
    assert "LineSaidV1 has no later version: KeyError('un bogue')" in row["cause"]


@pytest.mark.parametrize(
    "versions", [(LineSaidV1, LineSaid), (LineSaid, LineSaidV1), (LineSaidV3, LineSaidV1)]
)
async def test_group_that_declares_both_versions_does_not_start(
    versioned_service: VersionedService, versions: Sequence[type[Fact]]
) -> None:
    with pytest.raises(ConflictingVersions) as raised:
        versioned_service.consumer(*versions)

    newest = max(versions, key=lambda fact: fact.VERSION)
    assert f"{V1} and {newest.wire_type()} are one event told twice" in str(raised.value)
    assert f"name the same one: {newest.__name__}" in str(raised.value)


async def test_event_parked_as_old_version_is_retried_as_new(
    versioned_service: VersionedService,
) -> None:
    """Parked as the first version, with a blocked event behind it."""
    await versioned_service.record_facts(line_said("poison lent"), line_said("ensuite"))
    parked = await versioned_service.consume(LineSaidV1)
    assert (parked.applied, parked.parked) == (0, 2)
    clock = versioned_service.clock
    assert isinstance(clock, Clock)
    await versioned_service.query(REPAIR_PARKED)
    clock.advance(minutes=15)

    assert await ParkedEventRetrier(versioned_service.consumer(LineSaid)).retry_due() == 2

    assert await versioned_service.effects() == ["remède|lent", "ensuite"]


async def test_event_parked_as_new_version_waits_for_its_decoder(
    versioned_service: VersionedService,
) -> None:
    """The deployment is rolled back meanwhile: the event stays parked and blocks its key."""
    await versioned_service.record_facts(line_said("poison"), line_said("derrière"))
    await versioned_service.consume(LineSaid)
    clock = versioned_service.clock
    assert isinstance(clock, Clock)
    clock.advance(minutes=15)
    assert await ParkedEventRetrier(versioned_service.consumer(LineSaidV1)).retry_due() == 0
    (row,) = await versioned_service.query("SELECT cause FROM parked WHERE attempts > 1")
    assert row["cause"] == "no longer readable by this version"
    await versioned_service.query(REPAIR_PARKED)
    clock.advance(minutes=15)

    assert await ParkedEventRetrier(versioned_service.consumer(LineSaid)).retry_due() == 2

    assert await versioned_service.effects() == ["remède", "derrière"]


async def test_only_the_declared_version_is_parked(
    versioned_service: VersionedService,
) -> None:
    await versioned_service.record_facts(line_said("poison"), line_said("bon", member=2))

    counts = await versioned_service.consume(LineSaid)

    assert (counts.applied, counts.ignored, counts.parked) == (1, 2, 1)
    (row,) = await versioned_service.query("SELECT type, state FROM parked")
    assert (row["type"], row["state"]) == (V2, "parked")


async def test_repeated_event_of_the_old_version_is_applied_once(
    versioned_service: VersionedService,
) -> None:
    await versioned_service.record_facts(line_said_v1("seule"))
    (event,) = await versioned_service.events()
    await versioned_service.append(event)

    counts = await versioned_service.consume(LineSaid)

    assert (await versioned_service.effects(), counts.applied, counts.lag) == (["seule"], 1, 0)


def _member_id_json() -> bytes:
    return str(member_id(1)).encode()
