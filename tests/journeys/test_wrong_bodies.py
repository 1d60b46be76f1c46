"""A body that does not fit is refused with what is wrong, sent once or safely repeated."""

from uuid import uuid4

import pytest

from tests.support.platform_harness import PlatformHarness

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="session")]


async def test_a_wrong_body_with_a_key_is_refused_by_name(world: PlatformHarness) -> None:
    space = await world.open_space("zoe")
    for path, body, field in (
        ("/community/v1/spaces", {"name": "a", "visibility": "members"}, "visibility"),
        (f"/community/v1/spaces/{space}/posts", {"title": "a", "body": 3}, "body"),
    ):
        for headers in ({}, {"idempotency_key": f"wrong-{uuid4()}"}):
            answer = await world.request("claire", "POST", path, body, **headers)
            assert answer.status_code == 422, (headers, answer.text)
            assert field in answer.text
