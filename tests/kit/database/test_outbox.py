"""The outbox: events are written with their change or not at all, with gapless sequences."""

import asyncio
import random
from collections import defaultdict
from contextlib import suppress
from dataclasses import replace

import pytest
from sqlalchemy.exc import DBAPIError

from shared.contracts.identity import MemberReinstated, MemberSuspended
from shared.kit.core.bus import IncomingRecord, Partition
from shared.kit.core.errors import Conflict, Invalid
from shared.kit.database.database import connection
from shared.kit.inbox.decode import Decoded, decode_record, decoders_for
from tests.support.inbox_harness import (
    EFFECTS,
    LYON,
    NOON,
    RENNES,
    InboxHarness,
    make_caller,
    member_id,
)

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


async def test_sequences_have_no_gap_and_follow_positions_under_concurrency(
    harness: InboxHarness,
) -> None:
    seeded_random = random.Random(7)

    async def write(number: int) -> None:
        for _ in range(12):
            with suppress(Conflict):
                async with harness.database.unit(make_caller()) as unit:
                    for _ in range(3):
                        member = member_id(seeded_random.randrange(1, 4))
                        unit.record(MemberSuspended(member_id=member, reason=f"{number}"))
                    if seeded_random.random() < 0.3:
                        raise Conflict

    await asyncio.gather(*(write(number) for number in range(8)))

    by_key: dict[str, list[int]] = defaultdict(list)
    for envelope in await harness.outbox():
        by_key[envelope.partitionkey].append(int(envelope.sequence))
    assert len(by_key) == 3
    for sequences in by_key.values():
        assert sequences == list(range(1, len(sequences) + 1))


async def test_a_rollback_writes_nothing_and_wakes_no_relay(harness: InboxHarness) -> None:
    with pytest.raises(Conflict):  # noqa: PT012  a whole unit is meant
        async with harness.database.unit(make_caller()) as unit:
            await connection(unit).execute(EFFECTS, {"tenant": RENNES, "key": "k", "words": "w"})
            unit.record(MemberReinstated(member_id=member_id(1)))
            await unit.flush()
            raise Conflict

    assert await harness.outbox() == []
    assert await harness.effects() == []
    assert await harness.query("SELECT 1 FROM heads") == []
    assert not harness.database.outbox_changed.is_set()


async def test_a_commit_wakes_the_relay(harness: InboxHarness) -> None:
    async with harness.database.unit(make_caller()) as unit:
        unit.record(MemberReinstated(member_id=member_id(1)))
        assert not harness.database.outbox_changed.is_set()

    assert harness.database.outbox_changed.is_set()


async def test_a_rolled_back_savepoint_drops_its_events(harness: InboxHarness) -> None:
    async with harness.database.unit_for([RENNES]) as unit:
        with pytest.raises(Conflict):  # noqa: PT012  a whole savepoint is meant
            async with harness.database.savepoint(unit) as part:
                part.caller = make_caller()
                part.record(MemberReinstated(member_id=member_id(1)))
                await part.flush()
                raise Conflict
        async with harness.database.savepoint(unit) as part:
            part.caller = make_caller()
            part.record(MemberReinstated(member_id=member_id(1)))

    (envelope,) = await harness.outbox()
    assert int(envelope.sequence) == 1


async def test_an_open_unit_commits_all_joined_units_once(harness: InboxHarness) -> None:
    async with harness.database.open_unit(make_caller()) as open_unit:
        for number in (1, 2):
            joining = replace(make_caller(), open_unit=open_unit)
            async with harness.database.unit(joining) as unit:
                unit.record(MemberReinstated(member_id=member_id(number)))
        assert await harness.outbox() == []

    assert len(await harness.outbox()) == 2


async def test_an_envelope_names_its_cause(harness: InboxHarness) -> None:
    cause_id = harness.publish("answer")
    await harness.consume_all()

    (envelope,) = await harness.outbox()

    assert envelope.causeid == str(cause_id)
    assert (envelope.tenant, envelope.correlationid) == (RENNES, "un essai")
    assert envelope.partitionkey == f"{RENNES}:{member_id(1)}"
    assert envelope.source == "/preau/community"
    (row,) = await harness.query("SELECT value FROM outbox")
    record = IncomingRecord(Partition("community.space", 0), 0, b"k", row["value"])
    decoded = decode_record(record, decoders_for((MemberReinstated,)), NOON)
    assert isinstance(decoded, Decoded)
    assert decoded.delivery.fact == MemberReinstated(member_id=member_id(1))


async def test_a_fact_of_a_reaction_needs_its_cause(harness: InboxHarness) -> None:
    async with harness.database.unit_for([RENNES]) as unit:
        with pytest.raises(TypeError, match="which delivery"):
            unit.record(MemberReinstated(member_id=member_id(1)))


async def test_a_unit_cannot_write_into_another_tenant(harness: InboxHarness) -> None:
    with pytest.raises(DBAPIError, match="row-level security"):
        async with harness.database.unit(make_caller(RENNES)) as unit:
            await connection(unit).execute(EFFECTS, {"tenant": LYON, "key": "k", "words": "w"})


async def test_an_event_too_large_for_a_record_is_refused(harness: InboxHarness) -> None:
    with pytest.raises(Invalid):
        async with harness.database.unit(make_caller()) as unit:
            unit.record(MemberSuspended(member_id=member_id(1), reason="x" * 10_000_000))

    assert await harness.outbox() == []
