"""What leads to nothing is not unread."""

import pytest

from tests.journeys.at_risk import (
    CONTENTS,
    INBOX,
    INSULT,
    notices,
)
from tests.support.platform_harness import World

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="session")]


async def test_nothing_unread_leads_to_what_cannot_be_read(world: World) -> None:
    space = await world.space("zoe", "malik")
    before = (await world.ask("zoe", "GET", INBOX))["unread"]
    question = await world.post("zoe", space, "Qui a les cours du 27 novembre ?", "question")
    insult = await world.reply("malik", question, INSULT)
    slip = await world.reply("malik", question, "Oups, mauvaise discussion.")
    kept = await world.reply("malik", question, "Moi, en français.")
    await world.told("zoe", "comment_on_mine", slip)
    await world.ask("malik", "DELETE", f"{CONTENTS}/{slip}")
    await world.seen_as("zoe", insult, None)
    await world.settle()

    inbox = await world.ask("zoe", "GET", INBOX)
    about = {each["about"] for each in inbox["items"]}
    assert kept in about
    assert not {insult, slip} & about
    assert inbox["unread"] == before + 1

    await world.decide(await world.case_of(insult), "keep")
    await world.told("zoe", "comment_on_mine", insult)
    assert (await world.ask("zoe", "GET", INBOX))["unread"] == before + 2


async def test_what_was_read_before_it_was_removed_stays_read(world: World) -> None:
    space = await world.space("zoe", "malik")
    question = await world.post("zoe", space, "Qui vient samedi ?", "question")
    comment = await world.reply("malik", question, "Moi, peut-être.")
    notice = await world.told("zoe", "comment_on_mine", comment)
    path = f"{INBOX}/{notice['notification_id']}/read"
    await world.ask("zoe", "POST", path)
    unread = (await world.ask("zoe", "GET", INBOX))["unread"]
    await world.ask("malik", "DELETE", f"{CONTENTS}/{comment}")
    await world.settle()
    assert (await world.ask("zoe", "GET", INBOX))["unread"] == unread
    assert await notices(world, "zoe", comment)

    second = await world.reply("malik", question, "Ou pas.")
    notice = await world.told("zoe", "comment_on_mine", second)
    await world.ask("malik", "DELETE", f"{CONTENTS}/{second}")
    await world.settle()
    path = f"{INBOX}/{notice['notification_id']}/read"
    assert (await world.call("zoe", "POST", path)).status_code == 404
    assert (await world.ask("zoe", "GET", INBOX))["unread"] == unread
