"""Questions, answers, insults, flags: stories across all five services."""

import pytest

from tests.support.platform_harness import World

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="session")]
INSULT = "Tu es vraiment un connard, dégage."
CONTENTS = "/community/v1/contents"


async def test_a_question_is_answered_and_the_answer_accepted(world: World) -> None:
    space = await world.space("zoe", "hamid")
    question = await world.post("zoe", space, "« Malgré que », est-ce *admis* ? 🎸", "question")
    answer = await world.reply("hamid", question, "On l’évite à l’écrit.", "answers")
    notice = await world.told("zoe", "answer_to_mine", answer)
    before = (await world.ask("zoe", "GET", "/notifications/v1/inbox"))["unread"]
    path = f"/notifications/v1/inbox/{notice['notification_id']}/read"
    await world.ask("zoe", "POST", path)
    await world.ask("zoe", "POST", path)
    assert (await world.ask("zoe", "GET", "/notifications/v1/inbox"))["unread"] == before - 1
    await world.ask("zoe", "POST", f"{CONTENTS}/{answer}/accept")
    await world.told("hamid", "answer_accepted", answer)
    seen = (await world.ask("hamid", "GET", f"{CONTENTS}/{question}"))["items"]
    assert [each["content_id"] for each in seen] == [question, answer]
    assert seen[0]["accepted_id"] == answer


async def test_an_insult_is_hidden_explained_and_restored_by_a_moderator(world: World) -> None:
    space = await world.space("zoe", "malik")
    question = await world.post("zoe", space, "Qui vient vendredi ?", "question")
    comment = await world.reply("malik", question, f"{INSULT} malik@exemple.fr")
    await world.seen_as("zoe", comment, None)
    notice = await world.told("malik", "statement")
    path = f"/moderation/v1/statements/{notice['about']}"
    statement = await world.ask("malik", "GET", path, accept_language="fr")
    assert statement["action"] == "hide"
    assert statement["decided_by"] == "rule"
    assert statement["words"] != statement["reason"], "words, not a key"
    assert (await world.call("zoe", "GET", path)).status_code == 404
    assert (await world.seen_as("malik", comment, "hidden"))["reason"]
    await world.seen_as("omar", comment, "hidden")
    case = await world.case_of(comment)
    masked = await world.ask("omar", "GET", f"/moderation/v1/cases/{case['case_id']}")
    assert INSULT in masked["text"], "a moderator judges what was said"
    assert "malik@exemple.fr" not in masked["text"], "not whose address it was"
    await world.decide(case, "keep")
    await world.seen_as("zoe", comment, "visible")
    await world.settle()
    queue = (await world.ask("omar", "GET", "/moderation/v1/cases"))["items"]
    assert comment not in {each["content_id"] for each in queue}


async def test_flags_make_one_case_and_one_alert_until_it_is_closed(world: World) -> None:
    space = await world.space("zoe", "ines", "malik", "tom", "hamid")

    async def five_flags() -> list[str]:
        posts = [await world.post("tom", space, "On se retrouve tous contre lui.") for _ in "12"]
        for who in ("zoe", "ines", "malik"):
            await world.flag(who, posts[0])
        for who in ("zoe", "ines"):
            await world.flag(who, posts[1])
        await world.settle()
        return posts

    async def alerts() -> list[dict[str, object]]:
        found = (await world.ask("claire", "GET", "/metrics/v1/alerts"))["items"]
        return [each for each in found if each["space_id"] == space]

    first, _ = await five_flags()
    queue = (await world.ask("omar", "GET", "/moderation/v1/cases"))["items"]
    assert [e["flags"] for e in queue if e["content_id"] == first] == [3]
    again = {"reason": "spam"}
    answer = await world.call("zoe", "POST", f"{CONTENTS}/{first}/flags", again)
    assert (answer.status_code, answer.json()["type"]) == (
        409,
        "/community/problems/already_flagged",
    )
    (alert,) = await alerts()
    assert (alert["observed"], alert["people"], alert["most_content_id"]) == (5, 3, first)
    await world.told("claire", "alert", str(alert["alert_id"]))
    await five_flags()
    assert len(await alerts()) == 1, "one open alert per space"
    closed = await world.ask("claire", "POST", f"/metrics/v1/alerts/{alert['alert_id']}/close")
    assert closed["closed_at"], "what was closed says so"
    await five_flags()
    assert len(await alerts()) == 2


async def test_an_edit_is_screened_again(world: World) -> None:
    space = await world.space("zoe", "malik")
    post = await world.post("malik", space, "Bonjour à toutes et tous.")
    await world.ask("malik", "PUT", f"{CONTENTS}/{post}", {"body": INSULT})
    await world.seen_as("zoe", post, None)
    assert (await world.seen_as("malik", post, "hidden"))["version"] == 2
    await world.ask("malik", "PUT", f"{CONTENTS}/{post}", {"body": "Pardon, je me calme."})
    await world.seen_as("zoe", post, "visible")
    case = await world.case_of(post)
    assert case["because"] == "rule", "what was said is still for a moderator to look at"


async def test_removal_leaves_a_tombstone_and_the_replies(world: World) -> None:
    space = await world.space("zoe", "hamid")
    post = await world.post("zoe", space, "Je le regrette déjà.")
    reply = await world.reply("hamid", post, "Pas de souci.")
    await world.ask("zoe", "DELETE", f"{CONTENTS}/{post}")
    tomb, stays = (await world.ask("hamid", "GET", f"{CONTENTS}/{post}"))["items"]
    assert (tomb["standing"], tomb["title"], tomb["body"]) == ("removed", None, "")
    assert (stays["content_id"], stays["body"]) == (reply, "Pas de souci.")
    late = await world.call("hamid", "POST", f"{CONTENTS}/{post}/comments", {"body": "Si ?"})
    assert (late.status_code, late.json()["type"]) == (409, "/community/problems/content_gone")
    change = await world.call("zoe", "PUT", f"{CONTENTS}/{post}", {"body": "Encore"})
    assert change.status_code == 409


async def test_a_hidden_post_does_not_end_the_pages_before_it(world: World) -> None:
    space = await world.space("zoe", "malik")
    first = await world.post("zoe", space, "La première.")
    hidden = await world.post("malik", space, INSULT)
    last = await world.post("zoe", space, "La dernière.")
    await world.seen_as("zoe", hidden, None)
    path, found, cursor = f"/community/v1/spaces/{space}/posts?limit=1", [], ""
    for _ in range(4):
        page = await world.ask("zoe", "GET", path + cursor)
        found += [each["content_id"] for each in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert found == [last, first]
