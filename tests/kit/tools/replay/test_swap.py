"""Swapping rebuilt tables with the live ones, and undoing it."""

from importlib import import_module
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from shared.kit.database.migrations import schema_differences
from shared.kit.tools.replay.errors import ReplayRefused
from shared.kit.tools.replay.report import lines
from tests.kit.tools.replay.conftest import ReplayPlatform

# Slow tests: they run with the system tests.
pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]
TABLE_PRIVILEGES = """
    SELECT relname, relkind::text, relrowsecurity, relforcerowsecurity, relacl::text[] AS acl,
           relowner::regrole::text AS owner,
           (SELECT array_agg(polname || pg_get_expr(polqual, polrelid) ORDER BY polname)
            FROM pg_policy WHERE polrelid = c.oid) AS policies
    FROM pg_class c
    WHERE relnamespace = 'public'::regnamespace AND relname !~ '^inbox'
    ORDER BY relname
"""
DAMAGING_STATEMENTS = {
    "metrics": "UPDATE day_counts SET n = n + 7 WHERE what = 'questions'",
    "notifications": "DELETE FROM notifications WHERE category = 'alert'",
    "community": "UPDATE rights_members SET suspended = NOT suspended",
}


async def test_damaged_row_is_reported_and_repaired_by_a_swap(
    replay_platform: ReplayPlatform,
) -> None:
    (day,) = await replay_platform.sql(
        "metrics",
        "SELECT * FROM day_counts WHERE what = 'comments' AND space_id = $1",
        UUID(replay_platform.space),
    )
    await replay_platform.sql(
        "metrics",
        "UPDATE day_counts SET n = 99 WHERE what = 'comments' AND space_id = $1",
        UUID(replay_platform.space),
    )

    report = await replay_platform.replay("metrics")

    (counts,) = [table for table in report.tables if table.differences]
    assert (counts.table, counts.differences) == ("day_counts", 1)
    assert counts.shown[0].key["day"] == str(day["day"])
    assert (counts.shown[0].live, counts.shown[0].shadow) == ({"n": 99}, {"n": day["n"]})
    assert not report.equal
    assert any("live:    n 99" in line for line in lines(report))

    swapped = await replay_platform.replay("metrics", swap=True)
    assert swapped.swapped
    assert (await replay_platform.replay("metrics", into="second")).equal

    root = await replay_platform.harness.publish_post(
        "zoe", replay_platform.space, "La vie continue."
    )
    await replay_platform.harness.publish_reply("malik", root, "Eh oui.")
    await replay_platform.harness.wait_until_idle()
    (after,) = await replay_platform.sql(
        "metrics",
        "SELECT n FROM day_counts WHERE what = 'comments' AND day = $1 AND space_id = $2",
        day["day"],
        day["space_id"],
    )
    assert after["n"] == day["n"] + 1
    assert (await replay_platform.replay("metrics", into="second")).equal


@pytest.mark.parametrize("service", list(DAMAGING_STATEMENTS))
async def test_undo_restores_old_tables_with_later_events(
    replay_platform: ReplayPlatform, service: str
) -> None:
    await replay_platform.sql(service, DAMAGING_STATEMENTS[service])
    first_report = await replay_platform.replay(service, swap=True)
    assert first_report.differences
    with pytest.raises(ReplayRefused, match="--undo or --drop"):
        await replay_platform.replay(service)
    root = await replay_platform.harness.publish_post(
        "malik", replay_platform.space, "Entre les deux.", "question"
    )
    await replay_platform.harness.publish_reply("zoe", root, "Une réponse.", "answers")
    await replay_platform.harness.wait_until_idle()

    undo_report = await replay_platform.rebuilder(service).undo(service, "shadow")

    assert undo_report.swapped
    second_report = await replay_platform.replay(service, into="second")
    assert second_report.differences == first_report.differences, (
        "the damage is back, and nothing else"
    )
    await replay_platform.rebuilder(service).undo(service, "shadow")
    assert (await replay_platform.replay(service, into="second")).equal
    assert await replay_platform.rebuilder(service).drop("shadow")
    assert not await replay_platform.rebuilder(service).drop("shadow")


@pytest.mark.parametrize("service", list(DAMAGING_STATEMENTS))
async def test_swapped_tables_have_the_same_privileges_and_columns(
    replay_platform: ReplayPlatform, service: str
) -> None:
    before = await replay_platform.sql(service, TABLE_PRIVILEGES)
    await replay_platform.replay(service, swap=True)
    assert await replay_platform.sql(service, TABLE_PRIVILEGES) == before
    engine = create_async_engine(replay_platform.owner_url(service))
    async with engine.connect() as connected:
        declared = import_module(f"services.{service}.main").TABLES
        assert await connected.run_sync(schema_differences, declared) == []
    await engine.dispose()


async def test_schema_of_another_program_is_refused(replay_platform: ReplayPlatform) -> None:
    await replay_platform.sql("metrics", "CREATE SCHEMA theirs")
    for action in (
        replay_platform.replay("metrics", into="theirs"),
        replay_platform.rebuilder("metrics").drop("theirs"),
    ):
        with pytest.raises(ReplayRefused, match="not made by a replay"):
            await action
    await replay_platform.sql("metrics", "DROP SCHEMA theirs")


async def test_read_notifications_stay_read_after_a_swap(replay_platform: ReplayPlatform) -> None:
    query = "SELECT * FROM notifications ORDER BY recipient, notification_id"
    before = await replay_platform.sql("notifications", query)
    assert {row["read_at"] is None for row in before} == {True, False}
    await replay_platform.replay("notifications", swap=True)
    assert await replay_platform.sql("notifications", query) == before
