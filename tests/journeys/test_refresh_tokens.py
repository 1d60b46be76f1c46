"""Refresh tokens: two tabs, a lost response, a stolen token, and an invented one."""

import asyncio
from uuid import UUID

import pytest
import sqlalchemy as sa
from uuid_utils.compat import uuid7

from tests.journeys.invited_member import assert_problem, join_with_invitation
from tests.support.platform_harness import PlatformHarness

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="session")]


async def test_concurrent_or_repeated_refreshes_keep_the_session(platform: PlatformHarness) -> None:
    gwen = await join_with_invitation(platform)
    tokens = await gwen.sign_in()
    answers = await asyncio.gather(*(gwen.refresh(tokens["refresh_token"]) for _ in range(6)))
    assert [response.status_code for response in answers] == [200] * 6
    assert len({response.json()["refresh_token"] for response in answers}) == 1
    again = await gwen.refresh(tokens["refresh_token"])
    assert again.json()["refresh_token"] == answers[0].json()["refresh_token"]
    last = await gwen.refresh(again.json()["refresh_token"])
    assert last.json()["refresh_token"] not in {
        tokens["refresh_token"],
        again.json()["refresh_token"],
    }
    assert await gwen.statuses(last.json()) == {200}


async def test_late_reuse_ends_the_session_and_a_made_up_token_does_not(
    platform: PlatformHarness,
) -> None:
    gwen = await join_with_invitation(platform)
    first = await gwen.sign_in()
    second = (await gwen.refresh(first["refresh_token"])).json()
    head, _, mac = second["refresh_token"].rpartition(".")
    tenant, session, number = head.split(".")
    for made_up in (
        f"{head}.{mac[::-1]}",
        f"{head}.",
        f"{tenant}.{session}.1.{mac}",
        f"{tenant}.{session}.0{number}.{mac}",
        f"{tenant}.{session}.{int(number) + 1}.{mac}",
        f"{tenant}.{uuid7()}.{number}.{mac}",
        f"{tenant}.{session}.{'9' * 12}.{mac}",
        f"{tenant}.{session}.\u0661.{mac}",
    ):
        problem = assert_problem(await gwen.refresh(made_up), 401, "session_over")
        assert "reason" not in problem
    assert await gwen.statuses(second) == {200}
    database = platform.services["identity"].service.database
    earlier = sa.text("""
        UPDATE sessions SET rotations = ARRAY(SELECT r - interval '31 seconds'
                                              FROM unnest(rotations) AS r)
        WHERE session_id = :session
    """)
    await database.execute_once(earlier, [platform.seeded.tenant], session=UUID(session))

    for token in (first, second):  # the thief's, and then the owner's too
        problem = assert_problem(await gwen.refresh(token["refresh_token"]), 401, "session_over")
        assert problem["reason"] == "reused"
    assert await gwen.statuses(second) == {401}
