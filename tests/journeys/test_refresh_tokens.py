"""Refresh tokens: concurrent and repeated refreshes, stolen tokens, invalid tokens."""

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
    responses = await asyncio.gather(*(gwen.refresh(tokens["refresh_token"]) for _ in range(6)))
    assert [response.status_code for response in responses] == [200] * 6
    assert len({response.json()["refresh_token"] for response in responses}) == 1
    repeated = await gwen.refresh(tokens["refresh_token"])
    assert repeated.json()["refresh_token"] == responses[0].json()["refresh_token"]
    next_refresh = await gwen.refresh(repeated.json()["refresh_token"])
    assert next_refresh.json()["refresh_token"] not in {
        tokens["refresh_token"],
        repeated.json()["refresh_token"],
    }
    assert await gwen.get_statuses(next_refresh.json()) == {200}


async def test_late_reuse_ends_the_session_and_invalid_tokens_do_not(
    platform: PlatformHarness,
) -> None:
    gwen = await join_with_invitation(platform)
    first_tokens = await gwen.sign_in()
    second_tokens = (await gwen.refresh(first_tokens["refresh_token"])).json()
    head, _, mac = second_tokens["refresh_token"].rpartition(".")
    tenant, session, number = head.split(".")
    for invalid_token in (
        f"{head}.{mac[::-1]}",
        f"{head}.",
        f"{tenant}.{session}.1.{mac}",
        f"{tenant}.{session}.0{number}.{mac}",
        f"{tenant}.{session}.{int(number) + 1}.{mac}",
        f"{tenant}.{uuid7()}.{number}.{mac}",
        f"{tenant}.{session}.{'9' * 12}.{mac}",
        f"{tenant}.{session}.\u0661.{mac}",
    ):
        problem = assert_problem(await gwen.refresh(invalid_token), 401, "session_over")
        assert "reason" not in problem
    assert await gwen.get_statuses(second_tokens) == {200}
    database = platform.services["identity"].service.database
    age_rotations = sa.text("""
        UPDATE sessions SET rotations = ARRAY(SELECT r - interval '31 seconds'
                                              FROM unnest(rotations) AS r)
        WHERE session_id = :session
    """)
    await database.execute_once(age_rotations, [platform.seeded.tenant], session=UUID(session))

    for token in (first_tokens, second_tokens):  # the reused token, then the current one
        problem = assert_problem(await gwen.refresh(token["refresh_token"]), 401, "session_over")
        assert problem["reason"] == "reused"
    assert await gwen.get_statuses(second_tokens) == {401}
