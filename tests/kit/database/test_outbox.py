"""Facts leave if, and only if, their change was committed, and each key counts without gaps."""

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


async def test_sequences_have_no_gap_and_positions_follow_them_under_concurrency(
    probe: InboxHarness,
) -> None:
    seeded = random.Random(7)

    async def write(number: int) -> None:
        for _ in range(12):
            with suppress(Conflict):
                async with probe.database.unit(make_caller()) as unit:
                    for _ in range(3):
                        who = member_id(seeded.randrange(1, 4))
                        unit.record(MemberSuspended(member_id=who, reason=f"{number}"))
                    if seeded.random() < 0.3:
                        raise Conflict

    await asyncio.gather(*(write(number) for number in range(8)))

    by_key: dict[str, list[int]] = defaultdict(list)
    for envelope in await probe.outbox():
        by_key[envelope.partitionkey].append(int(envelope.sequence))
    assert len(by_key) == 3
    for sequences in by_key.values():
        assert sequences == list(range(1, len(sequences) + 1))


async def test_after_a_rollback_nothing_was_written_and_nobody_is_woken(
    probe: InboxHarness,
) -> None:
    with pytest.raises(Conflict):  # noqa: PT012  a whole unit is meant
        async with probe.database.unit(make_caller()) as unit:
            await connection(unit).execute(EFFECTS, {"tenant": RENNES, "key": "k", "words": "w"})
            unit.record(MemberReinstated(member_id=member_id(1)))
            await unit.flush()
            raise Conflict

    assert await probe.outbox() == []
    assert await probe.effects() == []
    assert await probe.query("SELECT 1 FROM heads") == []
    assert not probe.database.outbox_changed.is_set()


async def test_after_a_commit_the_relay_is_woken(probe: InboxHarness) -> None:
    async with probe.database.unit(make_caller()) as unit:
        unit.record(MemberReinstated(member_id=member_id(1)))
        assert not probe.database.outbox_changed.is_set()

    assert probe.database.outbox_changed.is_set()


async def test_what_a_savepoint_recorded_goes_with_it(probe: InboxHarness) -> None:
    async with probe.database.unit_for([RENNES]) as unit:
        with pytest.raises(Conflict):  # noqa: PT012  a whole savepoint is meant
            async with probe.database.savepoint(unit) as part:
                part.caller = make_caller()
                part.record(MemberReinstated(member_id=member_id(1)))
                await part.flush()
                raise Conflict
        async with probe.database.savepoint(unit) as part:
            part.caller = make_caller()
            part.record(MemberReinstated(member_id=member_id(1)))

    (kept,) = await probe.outbox()
    assert int(kept.sequence) == 1


async def test_a_unit_that_is_held_commits_once_with_all_that_joined_it(
    probe: InboxHarness,
) -> None:
    async with probe.database.open_unit(make_caller()) as held:
        for number in (1, 2):
            async with probe.database.unit(replace(make_caller(), open_unit=held)) as unit:
                unit.record(MemberReinstated(member_id=member_id(number)))
        assert await probe.outbox() == []

    assert len(await probe.outbox()) == 2


async def test_an_envelope_says_what_it_follows_from(probe: InboxHarness) -> None:
    first = probe.publish("answer")
    await probe.consume_all()

    (answer,) = await probe.outbox()

    assert answer.causeid == str(first)
    assert (answer.tenant, answer.correlationid) == (RENNES, "un essai")
    assert answer.partitionkey == f"{RENNES}:{member_id(1)}"
    assert answer.source == "/preau/community"
    (row,) = await probe.query("SELECT value FROM outbox")
    record = IncomingRecord(Partition("community.space", 0), 0, b"k", row["value"])
    item = decode_record(record, decoders_for((MemberReinstated,)), NOON)
    assert isinstance(item, Decoded)
    assert item.delivery.fact == MemberReinstated(member_id=member_id(1))


async def test_a_reaction_must_say_which_delivery_a_fact_follows_from(probe: InboxHarness) -> None:
    async with probe.database.unit_for([RENNES]) as unit:
        with pytest.raises(TypeError, match="which delivery"):
            unit.record(MemberReinstated(member_id=member_id(1)))


async def test_a_unit_cannot_write_into_another_tenant(probe: InboxHarness) -> None:
    with pytest.raises(DBAPIError, match="row-level security"):
        async with probe.database.unit(make_caller(RENNES)) as unit:
            await connection(unit).execute(EFFECTS, {"tenant": LYON, "key": "k", "words": "w"})


async def test_a_fact_that_no_broker_takes_is_refused_before_it_stops_the_relay(
    probe: InboxHarness,
) -> None:
    with pytest.raises(Invalid):
        async with probe.database.unit(make_caller()) as unit:
            unit.record(MemberSuspended(member_id=member_id(1), reason="x" * 10_000_000))

    assert await probe.outbox() == []
