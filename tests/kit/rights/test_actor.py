"""Who is asking: one statement that sets the tenant it sees before it reads."""

from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from shared.contracts.identity import Role
from shared.kit.database import Database
from shared.kit.rights.store import _WHO, MemberSuspended, SqlRights
from tests.kit.conftest import Frame
from tests.kit.probe import LYON, NOON, RENNES, member

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
_MANY = """
    INSERT INTO rights_members (tenant_id, member_id, kind, minor, known)
    SELECT $1::uuid, md5($1::uuid::text || n)::uuid, 'person', false, true
    FROM generate_series(1, 2000) n
"""
_ONE = """
    INSERT INTO rights_members (tenant_id, member_id, kind, minor, structure_id, known)
    VALUES ($1, $2, 'person', true, $2, true)
"""
_ROLE = """
    INSERT INTO rights_roles (tenant_id, member_id, role, structure_id, until)
    VALUES ($1, $2, $3, $2, $4)
"""


@pytest.fixture
async def owner(frame: Frame) -> AsyncIterator[asyncpg.Connection]:
    opened = await asyncpg.connect(frame.url("owner").replace("+asyncpg", ""))
    await opened.execute("TRUNCATE rights_members, rights_roles")
    await opened.execute(f"SET app.tenants = '{RENNES},{LYON}'")
    for tenant in (RENNES, LYON):
        await opened.execute(_MANY, tenant)
    await opened.execute(_ONE, RENNES, member(1))
    await opened.execute(_ROLE, RENNES, member(1), "pupil", None)
    await opened.execute(_ROLE, RENNES, member(1), "teacher", NOON - timedelta(days=1))
    await opened.execute("ANALYZE rights_members, rights_roles")
    yield opened
    await opened.execute("TRUNCATE rights_members, rights_roles")
    await opened.close()


async def test_a_member_is_found_with_what_they_hold_now(
    owner: asyncpg.Connection, database: Database
) -> None:
    rights = SqlRights(database, lambda: NOON)
    for _ in range(12):  # after some, the driver's statement has a plan for any value
        found = await rights.actor(RENNES, member(1))
        assert found is not None
        assert (found.tenant, found.member_id, found.minor) == (RENNES, member(1), True)
        assert [grant.role for grant in found.grants] == [Role.PUPIL]
        assert await rights.actor(LYON, member(1)) is None
        assert await rights.actor(RENNES, member(2)) is None


async def test_the_tenant_is_forgotten_with_the_answer(
    owner: asyncpg.Connection, database: Database
) -> None:
    rights = SqlRights(database, lambda: NOON)
    assert await rights.actor(RENNES, member(1)) is not None
    async with database.engine.connect() as same:
        (seen,) = (await same.exec_driver_sql("SELECT count(*) FROM rights_members")).one()
    assert seen == 0


@pytest.mark.parametrize("without", ["nestloop", "hashjoin", "mergejoin", "indexscan", "seqscan"])
async def test_the_setting_is_there_before_a_row_is_read_whatever_the_plan(
    owner: asyncpg.Connection, without: str
) -> None:
    """As the owner, whom the policy binds too."""
    await owner.execute(f"SET app.tenants = ''; SET enable_{without} = off")
    asks = (_WHO.alone.text, str(RENNES), [RENNES], [member(1)])
    for mode in ("force_custom_plan", "force_generic_plan"):
        await owner.execute(f"SET plan_cache_mode = {mode}")
        assert len(await owner.fetch(*asks)) == 2
        assert await owner.fetchval("SELECT count(*) FROM rights_members") == 0
    await owner.execute(f"RESET enable_{without}")


async def test_a_suspension_counts_at_once_and_until_it_ends(
    owner: asyncpg.Connection, database: Database
) -> None:
    now = NOON
    rights = SqlRights(database, lambda: now)
    assert await rights.actor(RENNES, member(1)) is not None
    await owner.execute(
        "UPDATE rights_members SET suspended = true, suspended_until = $2 WHERE member_id = $1",
        member(1),
        NOON + timedelta(hours=1),
    )
    with pytest.raises(MemberSuspended):
        await rights.actor(RENNES, member(1))
    now += timedelta(hours=2)
    assert await rights.actor(RENNES, member(1)) is not None
