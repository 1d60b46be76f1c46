"""Notifications about unreadable content are not unread."""

import pytest

from tests.journeys.at_risk import (
    CONTENTS,
    INBOX,
    INSULT_TEXT,
    list_notifications,
)
from tests.support.platform_harness import PlatformHarness

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="session")]


async def test_removed_content_leaves_no_unread_notification(platform: PlatformHarness) -> None:
    space = await platform.open_space("zoe", "malik")
    unread_before = (await platform.request_ok("zoe", "GET", INBOX))["unread"]
    question = await platform.publish_post(
        "zoe", space, "Qui a les cours du 27 novembre ?", "question"
    )
    insult = await platform.publish_reply("malik", question, INSULT_TEXT)
    slip = await platform.publish_reply("malik", question, "Oups, mauvaise discussion.")
    visible_answer_id = await platform.publish_reply("malik", question, "Moi, en français.")
    await platform.wait_for_notification("zoe", "comment_on_mine", slip)
    await platform.request_ok("malik", "DELETE", f"{CONTENTS}/{slip}")
    await platform.wait_for_standing("zoe", insult, None)
    await platform.wait_until_idle()

    inbox = await platform.request_ok("zoe", "GET", INBOX)
    about = {notification["about"] for notification in inbox["items"]}
    assert visible_answer_id in about
    assert not {insult, slip} & about
    assert inbox["unread"] == unread_before + 1

    await platform.decide_case(await platform.wait_for_case(insult), "keep")
    await platform.wait_for_notification("zoe", "comment_on_mine", insult)
    assert (await platform.request_ok("zoe", "GET", INBOX))["unread"] == unread_before + 2


async def test_read_notification_of_removed_content_stays_read(platform: PlatformHarness) -> None:
    space = await platform.open_space("zoe", "malik")
    question = await platform.publish_post("zoe", space, "Qui vient samedi ?", "question")
    comment = await platform.publish_reply("malik", question, "Moi, peut-être.")
    notification = await platform.wait_for_notification("zoe", "comment_on_mine", comment)
    path = f"{INBOX}/{notification['notification_id']}/read"
    await platform.request_ok("zoe", "POST", path)
    unread = (await platform.request_ok("zoe", "GET", INBOX))["unread"]
    await platform.request_ok("malik", "DELETE", f"{CONTENTS}/{comment}")
    await platform.wait_until_idle()
    assert (await platform.request_ok("zoe", "GET", INBOX))["unread"] == unread
    assert await list_notifications(platform, "zoe", comment)

    second_comment = await platform.publish_reply("malik", question, "Ou pas.")
    notification = await platform.wait_for_notification("zoe", "comment_on_mine", second_comment)
    await platform.request_ok("malik", "DELETE", f"{CONTENTS}/{second_comment}")
    await platform.wait_until_idle()
    path = f"{INBOX}/{notification['notification_id']}/read"
    assert (await platform.request("zoe", "POST", path)).status_code == 404
    assert (await platform.request_ok("zoe", "GET", INBOX))["unread"] == unread
