"""The shipped rules on bursts, copies and pile-ons hide contents on the running platform."""

import pytest

from tests.support.platform_harness import PlatformHarness

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="session")]


async def test_repeated_links_of_one_member_are_hidden(
    platform: PlatformHarness,
) -> None:
    space = await platform.open_space("tom", "zoe")
    text = "Réduction de folie sur https://exemple.org/soldes, venez vite tous ce soir"
    posts = [await platform.publish_post("tom", space, text) for _ in range(9)]
    await platform.wait_until_idle()
    # Conversations are screened in any order, and Tom's posts of other journeys count too.
    responses = [
        await platform.request("zoe", "GET", f"/community/v1/contents/{post}") for post in posts
    ]
    assert sum(response.status_code == 404 for response in responses) >= 2
    cases = (await platform.request_ok("omar", "GET", "/moderation/v1/cases?limit=100"))["items"]
    assert {case["content_id"] for case in cases} & set(posts)
