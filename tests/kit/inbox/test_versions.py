"""Two versions of one fact: recorded once, told as both, and each reader has it once."""

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


async def test_record_writes_both_versions_the_newest_first(
    stage: VersionedService,
) -> None:
    await stage.record_facts(line_said("Bonjour à tous"), line_said("Salut", who=1))

    events = await stage.events()

    assert [(e.type, int(e.sequence)) for e in events] == [(V2, 1), (V1, 2), (V2, 3), (V1, 4)]
    new, old = events[:2]
    assert (new.id, new.partitionkey, new.subject) == (old.id, old.partitionkey, old.subject)
    assert (new.dataschema, old.dataschema) == (f"/schemas/{V2}", f"/schemas/{V1}")
    assert msgspec.json.decode(new.data)["words"] == ["Bonjour", "à", "tous"]
    assert msgspec.json.decode(old.data)["text"] == "Bonjour à tous"
    assert [bytes(record.value or b"") for record in await stage.log()] == list(map(encode, events))
    assert len({e.id for e in events}) == 2


async def test_three_versions_are_published_down_to_the_oldest(stage: VersionedService) -> None:
    await stage.record_facts(LineSaidV3(member_id=member_id(1), words=("Oh", "!"), loud=True))

    assert [e.type for e in await stage.events()] == [V3, V2, V1]
    versions: tuple[type[Fact], ...] = (LineSaidV1, LineSaid, LineSaidV3)
    for number, declared in enumerate(versions, 1):
        await stage.query("TRUNCATE inbox, positions")
        found = await stage.consume(declared)
        assert (found.applied, found.ignored, found.duplicate) == (1, 2, 0)
        assert len(await stage.effects()) == number


async def test_version_without_dual_publish_is_not_published(
    stage: VersionedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LineSaid, "DUAL_PUBLISH", False)

    await stage.record_facts(line_said("Enfin seule"))

    assert [e.type for e in await stage.events()] == [V2]


async def test_batched_unit_writes_both_versions_and_one_audit_row(stage: VersionedService) -> None:
    async with BatchedDatabase(stage.database).unit(make_caller(member_id=member_id(1))) as unit:
        unit.record(line_said("léger"))
    await stage.relay()

    assert [(e.type, int(e.sequence)) for e in await stage.events()] == [(V2, 1), (V1, 2)]
    rows = await stage.query("SELECT action FROM audit")
    assert [row["action"] for row in rows] == [V2]


@pytest.mark.parametrize("declared", [LineSaidV1, LineSaid])
async def test_group_applies_its_version_once_and_ignores_the_other(
    stage: VersionedService, declared: type[Fact]
) -> None:
    await stage.record_facts(line_said("un deux"), line_said("trois", who=2))
    await stage.record_facts(line_said("quatre"))

    found = await stage.consume(declared)

    lines = ["un deux", "trois", "quatre"]
    shown = lines if declared is LineSaidV1 else [line.replace(" ", "|") for line in lines]
    assert sorted(await stage.effects()) == sorted(shown)
    assert (found.applied, found.ignored, found.duplicate, found.lag) == (3, 3, 0, 0)


@pytest.mark.parametrize("declared", [LineSaidV1, LineSaid])
@pytest.mark.parametrize("most", [1, 2, 3])
async def test_batch_may_end_between_two_versions(
    stage: VersionedService, declared: type[Fact], most: int
) -> None:
    await stage.record_facts(*(line_said(f"n° {number}") for number in range(3)))

    for _ in range(6):
        await stage.consume(declared, max_records=most)

    found = await stage.consume(declared)
    assert (found.applied, found.ignored, found.duplicate, found.lag) == (3, 3, 0, 0)


@pytest.mark.parametrize("declared", [LineSaidV1, LineSaid])
async def test_redelivered_versions_have_no_second_effect(
    stage: VersionedService, declared: type[Fact]
) -> None:
    await stage.record_facts(line_said("une fois"))
    for event in await stage.events():
        await stage.append(event)

    found = await stage.consume(declared)

    assert len(await stage.effects()) == 1
    assert (found.applied, found.ignored, found.duplicate) == (1, 2, 1)


@pytest.mark.parametrize("turns", list(permutations((LineSaidV1, LineSaid))))
async def test_group_that_changes_version_applies_the_event_once(
    stage: VersionedService, turns: Sequence[type[Fact]]
) -> None:
    """A deploy, or a deploy that is taken back, at the worst of moments."""
    await stage.record_facts(line_said("au milieu"))

    await stage.consume(turns[0], max_records=1)
    found = await stage.consume(turns[1])

    assert [words.replace("|", " ") for words in await stage.effects()] == ["au milieu"]
    assert (found.applied, found.lag) == (1, 0)


async def test_new_version_reads_events_of_the_old_one(
    stage: VersionedService,
) -> None:
    await stage.record_facts(line_said_v1("il était une fois"))
    await stage.record_facts(line_said("et puis"))

    found = await stage.consume(LineSaid)

    assert await stage.effects() == ["il|était|une|fois", "et|puis"]
    assert (found.applied, found.ignored) == (2, 1)


async def test_old_event_is_upcast_through_every_version(stage: VersionedService) -> None:
    await stage.record_facts(line_said_v1("Oh !"))
    reader = stage.consumer(LineSaidV3)

    fact = reader.decoders[V1](msgspec.Raw(b'{"member_id":"%b","text":"Oh !"}' % _id()))

    assert fact == LineSaidV3(member_id=member_id(1), words=("Oh", "!"), loud=True)
    assert (await stage.consume(LineSaidV3)).applied == 1


async def test_failed_upcast_is_dead_lettered_and_stops_no_other_event(
    stage: VersionedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(cls: type[LineSaid], old: LineSaidV1) -> LineSaid:
        raise KeyError("un bogue")

    monkeypatch.setattr(LineSaid, "upcast", classmethod(broken))
    await stage.record_facts(line_said_v1("perdu"))
    monkeypatch.setattr(LineSaid, "DUAL_PUBLISH", False)
    await stage.record_facts(line_said("après"))

    found = await stage.consume(LineSaid)

    assert await stage.effects() == ["après"]
    assert (found.applied, found.dead_lettered) == (1, 1)
    (row,) = await stage.query("SELECT cause FROM parked")
    assert "LineSaidV1 has no later version: KeyError('un bogue')" in row["cause"]


@pytest.mark.parametrize(
    "both", [(LineSaidV1, LineSaid), (LineSaid, LineSaidV1), (LineSaidV3, LineSaidV1)]
)
async def test_group_that_declares_both_versions_does_not_start(
    stage: VersionedService, both: Sequence[type[Fact]]
) -> None:
    with pytest.raises(ConflictingVersions) as told:
        stage.consumer(*both)

    newest = max(both, key=lambda fact: fact.VERSION)
    assert f"{V1} and {newest.wire_type()} are one event told twice" in str(told.value)
    assert f"name the same one: {newest.__name__}" in str(told.value)


async def test_event_parked_as_old_version_is_retried_as_new(
    stage: VersionedService,
) -> None:
    """It was parked as the first version; what comes after it waits behind it."""
    await stage.record_facts(line_said("poison lent"), line_said("ensuite"))
    parked = await stage.consume(LineSaidV1)
    assert (parked.applied, parked.parked) == (0, 2)
    clock = stage.clock
    assert isinstance(clock, Clock)
    await stage.query("UPDATE parked SET record_value = convert_to(replace(convert_from("
                    "record_value, 'UTF8'), 'poison', 'remède'), 'UTF8')")  # fmt: skip
    clock.advance(minutes=15)

    assert await ParkedEventRetrier(stage.consumer(LineSaid)).retry_due() == 2

    assert await stage.effects() == ["remède|lent", "ensuite"]


async def test_event_parked_as_new_version_waits_for_its_decoder(stage: VersionedService) -> None:
    """The deploy is taken back while it waits: it is kept, and its key waits behind it."""
    await stage.record_facts(line_said("poison"), line_said("derrière"))
    await stage.consume(LineSaid)
    clock = stage.clock
    assert isinstance(clock, Clock)
    clock.advance(minutes=15)
    assert await ParkedEventRetrier(stage.consumer(LineSaidV1)).retry_due() == 0
    (row,) = await stage.query("SELECT cause FROM parked WHERE attempts > 1")
    assert row["cause"] == "no longer readable by this version"
    await stage.query("UPDATE parked SET record_value = convert_to(replace(convert_from("
                    "record_value, 'UTF8'), 'poison', 'remède'), 'UTF8')")  # fmt: skip
    clock.advance(minutes=15)

    assert await ParkedEventRetrier(stage.consumer(LineSaid)).retry_due() == 2

    assert await stage.effects() == ["remède", "derrière"]


async def test_only_the_declared_version_is_parked(
    stage: VersionedService,
) -> None:
    await stage.record_facts(line_said("poison"), line_said("bon", who=2))

    found = await stage.consume(LineSaid)

    assert (found.applied, found.ignored, found.parked) == (1, 2, 1)
    (row,) = await stage.query("SELECT type, state FROM parked")
    assert (row["type"], row["state"]) == (V2, "parked")


async def test_repeated_event_of_the_old_version_is_applied_once(stage: VersionedService) -> None:
    await stage.record_facts(line_said_v1("seule"))
    (event,) = await stage.events()
    await stage.append(event)

    found = await stage.consume(LineSaid)

    assert (await stage.effects(), found.applied, found.lag) == (["seule"], 1, 0)


def _id() -> bytes:
    return str(member_id(1)).encode()
