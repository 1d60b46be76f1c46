"""The shipped rules on bursts, copies and pile-ons act on the running services."""

import pytest

from tests.journeys.world import World

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="session")]


async def test_one_member_who_posts_a_link_again_and_again_is_stopped(world: World) -> None:
    space = await world.space("tom", "zoe")
    text = "Réduction de folie sur https://exemple.org/soldes, venez vite tous ce soir"
    posts = [await world.post("tom", space, text) for _ in range(9)]
    await world.settle()
    # What Tom wrote in other journeys a moment ago counts too: he may be stopped earlier.
    for post in posts[7:]:
        await world.seen_as("zoe", post, None)
    case = await world.case_of(posts[4])
    assert case["severity"] == 1
