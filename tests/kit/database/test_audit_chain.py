"""Audit chains: one row per change by a person, and every later change of a row is found."""

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


async def record_acts(
    harness: InboxHarness, actor: MemberId, times: int = 3, origin: Origin = Origin.LIVE
) -> None:
    for number in range(times):
        caller = replace(make_caller(RENNES, actor), origin=origin)
        async with harness.database.unit(caller) as unit:
            unit.record(MemberReinstated(member_id=member_id(100 + number)))


async def find_broken_row(harness: InboxHarness) -> tuple[object, int] | None:
    async with harness.database.unit_for([RENNES]) as unit:
        return await chain.find_broken_row(unit.connection, RENNES)


async def tamper(frame: Frame, statement: str) -> None:
    """Change audit rows, as only the owner of the tables can."""
    owner = await asyncpg.connect(frame.url("owner").replace("+asyncpg", ""))
    try:
        await owner.execute(f"SET app.tenants = '{RENNES}'")
        assert await owner.execute(statement) != "UPDATE 0"
    finally:
        await owner.close()


async def test_each_change_by_a_person_extends_their_chain(harness: InboxHarness) -> None:
    await record_acts(harness, member_id(1))
    await record_acts(harness, member_id(2), times=2)

    rows = await harness.query("SELECT member_id, number, action FROM audit ORDER BY 1, 2")

    assert [(row["member_id"].int, row["number"]) for row in rows] == [
        (1, 1),
        (1, 2),
        (1, 3),
        (2, 1),
        (2, 2),
    ]
    assert {row["action"] for row in rows} == {"identity.member.reinstated.v1"}
    assert await find_broken_row(harness) is None


async def test_concurrent_acts_of_one_person_are_serialised(harness: InboxHarness) -> None:
    first_flushed, may_commit = asyncio.Event(), asyncio.Event()

    async def act_first() -> None:
        async with harness.database.unit(make_caller(RENNES, member_id(1))) as unit:
            unit.record(MemberReinstated(member_id=member_id(100)))
            await unit.flush()
            first_flushed.set()
            await may_commit.wait()

    async def act_second() -> None:
        await first_flushed.wait()
        async with harness.database.unit(make_caller(RENNES, member_id(1))) as unit:
            unit.record(MemberReinstated(member_id=member_id(101)))
            flush = asyncio.create_task(unit.flush())
            # It waits for the number that the first transaction has taken and not yet committed.
            assert not (await asyncio.wait([flush], timeout=0.3))[0]
            may_commit.set()
            await flush

    await asyncio.gather(act_first(), act_second())
    await asyncio.gather(*(record_acts(harness, member_id(1), times=4) for _ in range(5)))

    rows = await harness.query("SELECT number, subject FROM audit ORDER BY 1")
    assert [row["number"] for row in rows] == list(range(1, 23))
    assert [row["subject"].int for row in rows[:2]] == [100, 101]
    assert await find_broken_row(harness) is None


async def test_imports_and_reactions_leave_no_audit_row(harness: InboxHarness) -> None:
    await record_acts(harness, member_id(1), origin=Origin.IMPORT)
    harness.publish("answer")
    await harness.consume_all()

    assert await harness.query("SELECT 1 FROM audit") == []


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
async def test_a_changed_row_is_found(harness: InboxHarness, frame: Frame, change: str) -> None:
    await record_acts(harness, member_id(1))

    await tamper(frame, change)

    assert await find_broken_row(harness) == (member_id(1), 2)


async def test_a_deleted_row_is_found_by_its_successor(harness: InboxHarness, frame: Frame) -> None:
    await record_acts(harness, member_id(1))

    await tamper(frame, "DELETE FROM audit WHERE number = 2")

    assert await find_broken_row(harness) == (member_id(1), 3)


async def test_a_tenants_chains_are_verified_separately(
    harness: InboxHarness, frame: Frame
) -> None:
    await record_acts(harness, member_id(1))
    await tamper(frame, "UPDATE audit SET action = 'nothing' WHERE number = 1")

    async with harness.database.unit_for([LYON]) as unit:
        assert await chain.find_broken_row(unit.connection, LYON) is None
