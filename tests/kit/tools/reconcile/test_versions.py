"""Reconciliation of a fact in two versions: a pair is not a repetition, and errors are found."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from uuid_utils.compat import uuid7

from shared.contracts.event import Fact
from shared.kit.bus.memory.bus import MemoryBus
from shared.kit.tools.reconcile.check import Checker
from shared.kit.tools.reconcile.source import Source
from shared.kit.tools.reconcile.versions import compare_versions, split_wire_type
from tests.support.inbox_harness import make_caller
from tests.support.mini_service import InMemoryLog
from tests.support.versioned_event import (
    LineSaid,
    LineSaidV1,
    VersionedService,
    line_said,
    line_said_v1,
)

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
V1, V2 = LineSaidV1.wire_type(), LineSaid.wire_type()
with_each_version = pytest.mark.parametrize("declared", [LineSaidV1, LineSaid])


@with_each_version
async def test_event_in_two_versions_has_no_violations(
    versioned_service: VersionedService, declared: type[Fact]
) -> None:
    await versioned_service.record_facts(
        line_said_v1("seule"), line_said("à deux"), line_said("autre", member=2)
    )
    await versioned_service.record_facts(
        line_said("poison", member=3), line_said("derrière", member=3)
    )
    await versioned_service.consume(declared)

    report = await versioned_service.report(declared)

    assert [violation.text for violation in report.wrong] == []
    assert ("I3", "events", 9) in report.looked
    assert ("I3", "events published in two versions", 4) in report.looked
    assert report.repeated == 0


@with_each_version
async def test_record_sent_again_is_a_repetition_of_its_version(
    versioned_service: VersionedService, declared: type[Fact]
) -> None:
    await versioned_service.record_facts(line_said_v1("seule"), line_said("à deux"))
    for event in await versioned_service.events():
        await versioned_service.append(event)
    await versioned_service.consume(declared)

    report = await versioned_service.report(declared)

    assert [violation.text for violation in report.wrong] == []
    assert (report.repeated, report.looked[1]) == (3, ("I3", "keys", 1))


@pytest.mark.parametrize("most", [1, 2, 3, 4])
@pytest.mark.parametrize("turns", [(LineSaidV1, LineSaid), (LineSaid, LineSaidV1)])
async def test_group_that_changes_version_has_no_violations(
    versioned_service: VersionedService, turns: Sequence[type[Fact]], most: int
) -> None:
    await versioned_service.record_facts(line_said_v1("avant"), line_said("une"), line_said("deux"))
    await versioned_service.consume(turns[0], max_records=most)
    assert await versioned_service.check(turns[0]) == []
    assert await versioned_service.check(turns[1]) == []
    await versioned_service.record_facts(line_said("trois"))
    await versioned_service.consume(turns[1])

    assert await versioned_service.check(turns[1]) == []


async def test_outbox_rows_are_compared_per_version(
    versioned_service: VersionedService,
) -> None:
    """The rows were sent but are not yet deleted."""
    async with versioned_service.database.unit(make_caller()) as unit:
        unit.record(line_said("encore là"))
    rows = await versioned_service.query("SELECT * FROM outbox ORDER BY position")
    await versioned_service.relay()
    for row in rows:
        await versioned_service.query(
            "INSERT INTO outbox (shard, topic, key, value, recorded) VALUES ($1, $2, $3, $4, $5)",
            *(row[name] for name in ("shard", "topic", "key", "value", "recorded")),
        )
    assert await versioned_service.check() == []

    await versioned_service.query(
        "UPDATE outbox SET value = $1", rows[0]["value"].replace(b"encore", b"jamais")
    )

    assert any(
        "with another id or content than the log" in line
        for line in await versioned_service.check()
    )


async def test_pair_that_was_sent_in_part_is_reported(versioned_service: VersionedService) -> None:
    async with versioned_service.database.unit(make_caller()) as unit:
        unit.record(line_said("à moitié"))
    await versioned_service.query(
        "DELETE FROM outbox WHERE position = (SELECT max(position) FROM outbox)"
    )
    await versioned_service.relay()

    (line,) = await versioned_service.check()

    assert "its head says 2, the log ends at 1" in line


@with_each_version
async def test_event_passed_but_not_applied_is_reported(
    versioned_service: VersionedService, declared: type[Fact]
) -> None:
    await versioned_service.record_facts(line_said("perdu"), line_said_v1("perdu aussi"))
    await versioned_service.consume(declared)
    await versioned_service.query("DELETE FROM inbox")

    lines = await versioned_service.check(declared)

    # A group on the newer version should have applied the pair at either of its records.
    named = [V1, V1] if declared is LineSaidV1 else [V1, V1, V2]
    assert sorted(line.split()[2] for line in lines) == named


@with_each_version
async def test_wrong_counter_is_reported(
    versioned_service: VersionedService, declared: type[Fact]
) -> None:
    await versioned_service.record_facts(line_said("un"), line_said("deux"))
    await versioned_service.consume(declared)
    moved = "UPDATE positions SET applied = applied + 1, ignored = ignored - 1 WHERE applied > 0"
    await versioned_service.query(moved)

    assert await versioned_service.check(declared) == [
        "I4 community: 1 ignored and duplicate events counted, 2 expected from the log"
    ]


INVALID_PAIRS: dict[str, dict[str, Any]] = {
    "another fact": {"type": "community.line.sung.v1", "sequence": "0000000003"},
    "a gap between them": {"type": "community.line.said.v0", "sequence": "0000000004"},
    "the older one first": {"type": "community.line.said.v3", "sequence": "0000000003"},
}


@pytest.mark.parametrize("name", INVALID_PAIRS)
async def test_one_id_for_two_events_is_reported(
    versioned_service: VersionedService, name: str
) -> None:
    await versioned_service.record_facts(line_said("un"))
    event = (await versioned_service.events())[-1]
    await versioned_service.query(
        "UPDATE heads SET sequence = $1", int(INVALID_PAIRS[name]["sequence"])
    )
    await versioned_service.append(event, **INVALID_PAIRS[name])

    lines = await versioned_service.check()

    assert any(f"is here as {INVALID_PAIRS[name]['type']}" in line for line in lines), lines


async def test_same_version_with_another_content_is_reported(
    versioned_service: VersionedService,
) -> None:
    await versioned_service.record_facts(line_said("un"))
    old = (await versioned_service.events())[-1]
    await versioned_service.append(old, data=msgspec.Raw(b'{"text": "autre"}'))

    assert any(
        "is here again with another content" in line for line in await versioned_service.check()
    )


@pytest.mark.parametrize("change", ["event_id = $1", "key = key || $1::uuid"])
async def test_parked_event_that_is_no_version_of_the_event_is_reported(
    versioned_service: VersionedService, change: str
) -> None:
    await versioned_service.record_facts(line_said("poison"))
    await versioned_service.consume(LineSaid)
    assert await versioned_service.check(LineSaid) == []
    await versioned_service.query(f"UPDATE parked SET {change}", uuid7())

    lines = await versioned_service.check(LineSaid)

    assert "I4 community: parked here, but no such event was passed" in lines


async def test_kept_index_recognises_pairs(
    versioned_service: VersionedService, tmp_path: Path
) -> None:
    source = Source(
        "community", versioned_service.owner_url, frozenset({V2}), ("community.rehearsal",), ()
    )
    for number in (1, 2):
        await versioned_service.record_facts(line_said("encore"))
        await versioned_service.consume(LineSaid)
        assert isinstance(versioned_service.bus, MemoryBus)
        log = InMemoryLog(versioned_service.bus)
        report = await Checker(log, [source], tmp_path / "index").check()
        assert not [violation for violation in report.wrong if violation.invariant in {"I3", "I4"}]
        assert ("I3", "events published in two versions", number) in report.looked


def test_wire_type_is_split_into_name_and_version() -> None:
    assert split_wire_type(V2) == ("community.line.said", 2)
    assert split_wire_type("preau.dead_letter.v1") == ("preau.dead_letter", 1)
    assert split_wire_type("com.example.v2beta") == ("com.example.v2beta", 0)
    assert split_wire_type(".v3") == (".v3", 0)
    assert [compare_versions(version, 2) for version in (1, 2, 3)] == ["older", "declared", "newer"]
