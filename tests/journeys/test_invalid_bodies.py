"""An invalid body is refused with the name of its field, also with an idempotency key."""

from uuid import uuid4

import pytest

from tests.support.platform_harness import PlatformHarness

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="session")]


async def test_invalid_body_is_refused_with_or_without_idempotency_key(
    platform: PlatformHarness,
) -> None:
    space = await platform.open_space("zoe")
    for path, body, field in (
        ("/community/v1/spaces", {"name": "a", "visibility": "members"}, "visibility"),
        (f"/community/v1/spaces/{space}/posts", {"title": "a", "body": 3}, "body"),
    ):
        for headers in ({}, {"idempotency_key": f"wrong-{uuid4()}"}):
            response = await platform.request("claire", "POST", path, body, **headers)
            assert response.status_code == 422, (headers, response.text)
            assert field in response.text
