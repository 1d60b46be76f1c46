"""Reading a member's rights: one statement that sets the tenant before it reads."""

from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest
import sqlalchemy as sa

from shared.contracts.identity import Role
from shared.kit.core.policy import Suspension
from shared.kit.core.suspension import SessionEnded
from shared.kit.database.batched.unit import BatchedDatabase
from shared.kit.database.database import Database
from shared.kit.rights.store import _FIND_ACTOR, SqlRights
from tests.kit.conftest import Frame
from tests.support.inbox_harness import LYON, NOON, RENNES, member_id

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
    connection = await asyncpg.connect(frame.url("owner").replace("+asyncpg", ""))
    await connection.execute("TRUNCATE rights_members, rights_roles, rights_ended_sessions")
    await connection.execute(f"SET app.tenants = '{RENNES},{LYON}'")
    for tenant in (RENNES, LYON):
        await connection.execute(_MANY, tenant)
    await connection.execute(_ONE, RENNES, member_id(1))
    await connection.execute(_ROLE, RENNES, member_id(1), "pupil", None)
    await connection.execute(_ROLE, RENNES, member_id(1), "teacher", NOON - timedelta(days=1))
    await connection.execute("ANALYZE rights_members, rights_roles")
    yield connection
    await connection.execute("TRUNCATE rights_members, rights_roles, rights_ended_sessions")
    await connection.close()


async def test_actor_has_the_roles_that_are_valid_now(
    owner: asyncpg.Connection, database: Database
) -> None:
    rights = SqlRights(BatchedDatabase(database), lambda: NOON)
    for _ in range(12):  # after some, the driver's statement has a plan for any value
        actor = await rights.find_actor(RENNES, member_id(1))
        assert actor is not None
        assert (actor.tenant, actor.member_id, actor.minor) == (RENNES, member_id(1), True)
        assert [grant.role for grant in actor.grants] == [Role.PUPIL]
        assert await rights.find_actor(LYON, member_id(1)) is None
        assert await rights.find_actor(RENNES, member_id(2)) is None


async def test_tenant_setting_ends_with_the_statement(
    owner: asyncpg.Connection, database: Database
) -> None:
    rights = SqlRights(BatchedDatabase(database), lambda: NOON)
    assert await rights.find_actor(RENNES, member_id(1)) is not None
    async with database.engine.connect() as connection:
        (row_count,) = (
            await connection.exec_driver_sql("SELECT count(*) FROM rights_members")
        ).one()
    assert row_count == 0


@pytest.mark.parametrize("without", ["nestloop", "hashjoin", "mergejoin", "indexscan", "seqscan"])
async def test_tenant_is_set_before_rows_are_read_in_every_plan(
    owner: asyncpg.Connection, without: str
) -> None:
    """Runs as the owner, since row-level security applies to the owner too."""
    await owner.execute(f"SET app.tenants = ''; SET enable_{without} = off")
    arguments = (_FIND_ACTOR.standalone.text, str(RENNES), [RENNES], [member_id(1)], [None])
    for mode in ("force_custom_plan", "force_generic_plan"):
        await owner.execute(f"SET plan_cache_mode = {mode}")
        assert len(await owner.fetch(*arguments)) == 2
        assert await owner.fetchval("SELECT count(*) FROM rights_members") == 0
    await owner.execute(f"RESET enable_{without}")


async def test_suspension_applies_at_once_until_its_end(
    owner: asyncpg.Connection, database: Database
) -> None:
    now = NOON
    rights = SqlRights(BatchedDatabase(database), lambda: now)
    assert await rights.find_actor(RENNES, member_id(1)) is not None
    await owner.execute(
        "UPDATE rights_members SET suspended = true, suspended_until = $2, "
        "suspended_because = 'insults' WHERE member_id = $1",
        member_id(1),
        NOON + timedelta(hours=1),
    )
    suspended = await rights.find_actor(RENNES, member_id(1))
    assert suspended is not None
    assert suspended.suspension == Suspension("insults", NOON + timedelta(hours=1))
    now += timedelta(hours=2)
    reinstated = await rights.find_actor(RENNES, member_id(1))
    assert reinstated is not None
    assert reinstated.suspension is None


async def test_token_of_an_ended_session_is_rejected_in_its_tenant(
    owner: asyncpg.Connection, database: Database
) -> None:
    rights = SqlRights(BatchedDatabase(database), lambda: NOON)
    for tenant, session in ((RENNES, member_id(7)), (LYON, member_id(8))):
        await owner.execute(
            "INSERT INTO rights_ended_sessions VALUES ($1, $2, now() + interval '11 minutes')",
            tenant,
            session,
        )
    with pytest.raises(SessionEnded):
        await rights.find_actor(RENNES, member_id(1), str(member_id(7)))
    for other in (str(member_id(8)), str(member_id(9)), "local", "", None):
        assert await rights.find_actor(RENNES, member_id(1), other) is not None


async def test_maintenance_removes_expired_sessions_of_all_tenants(
    owner: asyncpg.Connection, database: Database
) -> None:
    await owner.execute("TRUNCATE rights_ended_sessions")
    for tenant, number, minutes in ((RENNES, 1, -1), (LYON, 2, -1), (RENNES, 3, 1), (LYON, 4, 1)):
        await owner.execute(
            "INSERT INTO rights_ended_sessions VALUES ($1, $2, now() + $3)",
            tenant,
            member_id(number),
            timedelta(minutes=minutes),
        )
    (row,) = await database.execute_once(sa.text("SELECT remove_expired(1)"))
    assert row[0] == 1
    (row,) = await database.execute_once(sa.text("SELECT remove_expired(100)"))
    assert row[0] == 1
    rows = await owner.fetch("SELECT session_id FROM rights_ended_sessions ORDER BY 1")
    assert [row["session_id"] for row in rows] == [member_id(3), member_id(4)]
    await owner.execute("SET app.tenants = ''; SET app.expired = ''")
    assert await owner.fetchval("SELECT count(*) FROM rights_ended_sessions") == 0
