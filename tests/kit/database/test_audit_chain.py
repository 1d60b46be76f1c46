"""The audit log: a row per change by a person, chained so that a change of it shows."""

import asyncio
from dataclasses import replace

import asyncpg
import pytest

from shared.contracts.event import Origin
from shared.contracts.identity import MemberReinstated
from shared.contracts.ids import MemberId
from shared.kit.database.audit import chain
from tests.kit.conftest import Frame
from tests.support.inbox_harness import LYON, RENNES, InboxHarness, make_caller, member_id

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


async def act(
    probe: InboxHarness, who: MemberId, times: int = 3, origin: Origin = Origin.LIVE
) -> None:
    for number in range(times):
        async with probe.database.unit(replace(make_caller(RENNES, who), origin=origin)) as unit:
            unit.record(MemberReinstated(member_id=member_id(100 + number)))


async def broken(probe: InboxHarness) -> tuple[object, int] | None:
    async with probe.database.unit_for([RENNES]) as unit:
        return await chain.find_broken_row(unit.connection, RENNES)


async def tamper(frame: Frame, statement: str) -> None:
    """As only the owner can."""
    owner = await asyncpg.connect(frame.url("owner").replace("+asyncpg", ""))
    try:
        await owner.execute(f"SET app.tenants = '{RENNES}'")
        assert await owner.execute(statement) != "UPDATE 0"
    finally:
        await owner.close()


async def test_every_change_by_a_person_leaves_a_row_in_that_persons_chain(
    probe: InboxHarness,
) -> None:
    await act(probe, member_id(1))
    await act(probe, member_id(2), times=2)

    rows = await probe.query("SELECT member_id, number, action FROM audit ORDER BY 1, 2")

    assert [(row["member_id"].int, row["number"]) for row in rows] == [
        (1, 1),
        (1, 2),
        (1, 3),
        (2, 1),
        (2, 2),
    ]
    assert {row["action"] for row in rows} == {"identity.member.reinstated.v1"}
    assert await broken(probe) is None


async def test_two_acts_of_one_person_at_once_stand_one_after_the_other(
    probe: InboxHarness,
) -> None:
    begun, blocked = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with probe.database.unit(make_caller(RENNES, member_id(1))) as unit:
            unit.record(MemberReinstated(member_id=member_id(100)))
            await unit.flush()
            begun.set()
            await blocked.wait()

    async def second() -> None:
        await begun.wait()
        async with probe.database.unit(make_caller(RENNES, member_id(1))) as unit:
            unit.record(MemberReinstated(member_id=member_id(101)))
            flushing = asyncio.create_task(unit.flush())
            # It waits for the place that the first has taken and not yet committed.
            assert not (await asyncio.wait([flushing], timeout=0.3))[0]
            blocked.set()
            await flushing

    await asyncio.gather(first(), second())
    await asyncio.gather(*(act(probe, member_id(1), times=4) for _ in range(5)))

    rows = await probe.query("SELECT number, subject FROM audit ORDER BY 1")
    assert [row["number"] for row in rows] == list(range(1, 23))
    assert [row["subject"].int for row in rows[:2]] == [100, 101]
    assert await broken(probe) is None


async def test_what_was_imported_or_caused_by_an_event_is_nobodys_act(probe: InboxHarness) -> None:
    await act(probe, member_id(1), origin=Origin.IMPORT)
    probe.publish("answer")
    await probe.consume_all()

    assert await probe.query("SELECT 1 FROM audit") == []


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit SET action = 'nothing' WHERE number = 2",
        "UPDATE audit SET at = at + interval '1 hour' WHERE number = 2",
        "UPDATE audit SET subject = member_id WHERE number = 2",
        """UPDATE audit SET details = '{"event": "x"}' WHERE number = 2""",
        "UPDATE audit SET hash = sha256('x') WHERE number = 2",
    ],
)
async def test_a_row_that_was_changed_is_found(
    probe: InboxHarness, frame: Frame, change: str
) -> None:
    await act(probe, member_id(1))

    await tamper(frame, change)

    assert await broken(probe) == (member_id(1), 2)


async def test_a_row_that_was_taken_out_is_found_by_the_next(
    probe: InboxHarness, frame: Frame
) -> None:
    await act(probe, member_id(1))

    await tamper(frame, "DELETE FROM audit WHERE number = 2")

    assert await broken(probe) == (member_id(1), 3)


async def test_a_tenant_is_verified_by_itself(probe: InboxHarness, frame: Frame) -> None:
    await act(probe, member_id(1))
    await tamper(frame, "UPDATE audit SET action = 'nothing' WHERE number = 1")

    async with probe.database.unit_for([LYON]) as unit:
        assert await chain.find_broken_row(unit.connection, LYON) is None
