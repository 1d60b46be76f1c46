"""What leads to nothing is not unread."""

import pytest

from tests.journeys.at_risk import (
    CONTENTS,
    INBOX,
    INSULT_TEXT,
    list_notifications,
)
from tests.support.platform_harness import PlatformHarness

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="session")]


async def test_nothing_unread_leads_to_what_cannot_be_read(world: PlatformHarness) -> None:
    space = await world.open_space("zoe", "malik")
    before = (await world.request_ok("zoe", "GET", INBOX))["unread"]
    question = await world.publish_post(
        "zoe", space, "Qui a les cours du 27 novembre ?", "question"
    )
    insult = await world.publish_reply("malik", question, INSULT_TEXT)
    slip = await world.publish_reply("malik", question, "Oups, mauvaise discussion.")
    kept = await world.publish_reply("malik", question, "Moi, en français.")
    await world.wait_for_notification("zoe", "comment_on_mine", slip)
    await world.request_ok("malik", "DELETE", f"{CONTENTS}/{slip}")
    await world.wait_for_standing("zoe", insult, None)
    await world.wait_until_idle()

    inbox = await world.request_ok("zoe", "GET", INBOX)
    about = {each["about"] for each in inbox["items"]}
    assert kept in about
    assert not {insult, slip} & about
    assert inbox["unread"] == before + 1

    await world.decide_case(await world.wait_for_case(insult), "keep")
    await world.wait_for_notification("zoe", "comment_on_mine", insult)
    assert (await world.request_ok("zoe", "GET", INBOX))["unread"] == before + 2


async def test_what_was_read_before_it_was_removed_stays_read(world: PlatformHarness) -> None:
    space = await world.open_space("zoe", "malik")
    question = await world.publish_post("zoe", space, "Qui vient samedi ?", "question")
    comment = await world.publish_reply("malik", question, "Moi, peut-être.")
    notice = await world.wait_for_notification("zoe", "comment_on_mine", comment)
    path = f"{INBOX}/{notice['notification_id']}/read"
    await world.request_ok("zoe", "POST", path)
    unread = (await world.request_ok("zoe", "GET", INBOX))["unread"]
    await world.request_ok("malik", "DELETE", f"{CONTENTS}/{comment}")
    await world.wait_until_idle()
    assert (await world.request_ok("zoe", "GET", INBOX))["unread"] == unread
    assert await list_notifications(world, "zoe", comment)

    second = await world.publish_reply("malik", question, "Ou pas.")
    notice = await world.wait_for_notification("zoe", "comment_on_mine", second)
    await world.request_ok("malik", "DELETE", f"{CONTENTS}/{second}")
    await world.wait_until_idle()
    path = f"{INBOX}/{notice['notification_id']}/read"
    assert (await world.request("zoe", "POST", path)).status_code == 404
    assert (await world.request_ok("zoe", "GET", INBOX))["unread"] == unread
