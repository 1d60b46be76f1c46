"""The rebuilt tables take the place of the live ones, and can be taken back."""

from importlib import import_module
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from shared.kit.database.migrations import schema_differences
from shared.kit.tools.replay.errors import ReplayRefused
from shared.kit.tools.replay.report import lines
from tests.kit.tools.replay.conftest import ReplayPlatform

# They take long, and run where the real servers are tested.
pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]
RIGHTS = """
    SELECT relname, relkind::text, relrowsecurity, relforcerowsecurity, relacl::text[] AS acl,
           relowner::regrole::text AS owner,
           (SELECT array_agg(polname || pg_get_expr(polqual, polrelid) ORDER BY polname)
            FROM pg_policy WHERE polrelid = c.oid) AS policies
    FROM pg_class c
    WHERE relnamespace = 'public'::regnamespace AND relname !~ '^inbox'
    ORDER BY relname
"""
DAMAGE = {
    "metrics": "UPDATE day_counts SET n = n + 7 WHERE what = 'questions'",
    "notifications": "DELETE FROM notifications WHERE category = 'alert'",
    "community": "UPDATE rights_members SET suspended = NOT suspended",
}


async def test_a_damaged_row_is_named_and_mended_and_life_goes_on(past: ReplayPlatform) -> None:
    (day,) = await past.sql(
        "metrics",
        "SELECT * FROM day_counts WHERE what = 'comments' AND space_id = $1",
        UUID(past.space),
    )
    await past.sql(
        "metrics",
        "UPDATE day_counts SET n = 99 WHERE what = 'comments' AND space_id = $1",
        UUID(past.space),
    )

    found = await past.replay("metrics")

    (counts,) = [table for table in found.tables if table.differences]
    assert (counts.table, counts.differences) == ("day_counts", 1)
    assert counts.shown[0].key["day"] == str(day["day"])
    assert (counts.shown[0].live, counts.shown[0].shadow) == ({"n": 99}, {"n": day["n"]})
    assert not found.equal
    assert any("live:    n 99" in line for line in lines(found))

    swapped = await past.replay("metrics", swap=True)
    assert swapped.swapped
    assert (await past.replay("metrics", into="second")).equal

    root = await past.world.publish_post("zoe", past.space, "La vie continue.")
    await past.world.publish_reply("malik", root, "Eh oui.")
    await past.world.wait_until_idle()
    (after,) = await past.sql(
        "metrics",
        "SELECT n FROM day_counts WHERE what = 'comments' AND day = $1 AND space_id = $2",
        day["day"],
        day["space_id"],
    )
    assert after["n"] == day["n"] + 1
    assert (await past.replay("metrics", into="second")).equal


@pytest.mark.parametrize("service", list(DAMAGE))
async def test_undo_brings_back_what_was_live_with_all_that_came_since(
    past: ReplayPlatform, service: str
) -> None:
    await past.sql(service, DAMAGE[service])
    first = await past.replay(service, swap=True)
    assert first.differences
    with pytest.raises(ReplayRefused, match="--undo or --drop"):
        await past.replay(service)
    root = await past.world.publish_post("malik", past.space, "Entre les deux.", "question")
    await past.world.publish_reply("zoe", root, "Une réponse.", "answers")
    await past.world.wait_until_idle()

    back = await past.rebuilder(service).undo(service, "shadow")

    assert back.swapped
    again = await past.replay(service, into="second")
    assert again.differences == first.differences, "the damage is back, and nothing else"
    await past.rebuilder(service).undo(service, "shadow")
    assert (await past.replay(service, into="second")).equal
    assert await past.rebuilder(service).drop("shadow")
    assert not await past.rebuilder(service).drop("shadow")


@pytest.mark.parametrize("service", list(DAMAGE))
async def test_what_is_swapped_in_has_the_same_rights_and_shape(
    past: ReplayPlatform, service: str
) -> None:
    before = await past.sql(service, RIGHTS)
    await past.replay(service, swap=True)
    assert await past.sql(service, RIGHTS) == before
    engine = create_async_engine(past.owner_url(service))
    async with engine.connect() as connected:
        declared = import_module(f"services.{service}.main").TABLES
        assert await connected.run_sync(schema_differences, declared) == []
    await engine.dispose()


async def test_a_schema_of_somebody_else_is_left_alone(past: ReplayPlatform) -> None:
    await past.sql("metrics", "CREATE SCHEMA theirs")
    for act in (past.replay("metrics", into="theirs"), past.rebuilder("metrics").drop("theirs")):
        with pytest.raises(ReplayRefused, match="not made by a replay"):
            await act
    await past.sql("metrics", "DROP SCHEMA theirs")


async def test_what_a_person_read_stays_read(past: ReplayPlatform) -> None:
    query = "SELECT * FROM notifications ORDER BY recipient, notification_id"
    before = await past.sql("notifications", query)
    assert {row["read_at"] is None for row in before} == {True, False}
    await past.replay("notifications", swap=True)
    assert await past.sql("notifications", query) == before
