"""The shipped rules on bursts, copies and pile-ons act on the running services."""

import pytest

from tests.support.platform_harness import PlatformHarness

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="session")]


async def test_one_member_who_posts_a_link_again_and_again_is_stopped(
    world: PlatformHarness,
) -> None:
    space = await world.open_space("tom", "zoe")
    text = "Réduction de folie sur https://exemple.org/soldes, venez vite tous ce soir"
    posts = [await world.publish_post("tom", space, text) for _ in range(9)]
    await world.wait_until_idle()
    # Conversations are read in any order, and what Tom wrote in other journeys counts too.
    shown = [await world.request("zoe", "GET", f"/community/v1/contents/{post}") for post in posts]
    assert sum(answer.status_code == 404 for answer in shown) >= 2
    queue = (await world.request_ok("omar", "GET", "/moderation/v1/cases?limit=100"))["items"]
    assert {case["content_id"] for case in queue} & set(posts)
