"""Questions, answers, insults and flags across all five services."""

import pytest

from tests.support.platform_harness import PlatformHarness

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="session")]
INSULT = "Tu es vraiment un connard, dégage."
CONTENTS = "/community/v1/contents"


async def test_a_question_is_answered_and_the_answer_accepted(platform: PlatformHarness) -> None:
    space = await platform.open_space("zoe", "hamid")
    question = await platform.publish_post(
        "zoe", space, "« Malgré que », est-ce *admis* ? 🎸", "question"
    )
    answer_id = await platform.publish_reply("hamid", question, "On l’évite à l’écrit.", "answers")
    notice = await platform.wait_for_notification("zoe", "answer_to_mine", answer_id)
    unread_before = (await platform.request_ok("zoe", "GET", "/notifications/v1/inbox"))["unread"]
    path = f"/notifications/v1/inbox/{notice['notification_id']}/read"
    await platform.request_ok("zoe", "POST", path)
    await platform.request_ok("zoe", "POST", path)
    assert (await platform.request_ok("zoe", "GET", "/notifications/v1/inbox"))[
        "unread"
    ] == unread_before - 1
    await platform.request_ok("zoe", "POST", f"{CONTENTS}/{answer_id}/accept")
    await platform.wait_for_notification("hamid", "answer_accepted", answer_id)
    contents = (await platform.request_ok("hamid", "GET", f"{CONTENTS}/{question}"))["items"]
    assert [item["content_id"] for item in contents] == [question, answer_id]
    assert contents[0]["accepted_id"] == answer_id


async def test_an_insult_is_hidden_explained_and_restored_by_a_moderator(
    platform: PlatformHarness,
) -> None:
    space = await platform.open_space("zoe", "malik")
    question = await platform.publish_post("zoe", space, "Qui vient vendredi ?", "question")
    comment = await platform.publish_reply("malik", question, f"{INSULT} malik@exemple.fr")
    await platform.wait_for_standing("zoe", comment, None)
    notice = await platform.wait_for_notification("malik", "statement")
    path = f"/moderation/v1/statements/{notice['about']}"
    statement = await platform.request_ok("malik", "GET", path, accept_language="fr")
    assert statement["action"] == "hide"
    assert statement["decided_by"] == "rule"
    assert statement["words"] != statement["reason"], "words, not a key"
    assert (await platform.request("zoe", "GET", path)).status_code == 404
    assert (await platform.wait_for_standing("malik", comment, "hidden"))["reason"]
    await platform.wait_for_standing("omar", comment, "hidden")
    case = await platform.wait_for_case(comment)
    masked = await platform.request_ok("omar", "GET", f"/moderation/v1/cases/{case['case_id']}")
    assert INSULT in masked["text"], "a moderator judges what was said"
    assert "malik@exemple.fr" not in masked["text"], "not whose address it was"
    await platform.decide_case(case, "keep")
    await platform.wait_for_standing("zoe", comment, "visible")
    await platform.wait_until_idle()
    queue = (await platform.request_ok("omar", "GET", "/moderation/v1/cases"))["items"]
    assert comment not in {item["content_id"] for item in queue}


async def test_flags_make_one_case_and_one_alert_until_it_is_closed(
    platform: PlatformHarness,
) -> None:
    space = await platform.open_space("zoe", "ines", "malik", "tom", "hamid")

    async def five_flags() -> list[str]:
        text = "On se retrouve tous contre lui."
        posts = [await platform.publish_post("tom", space, text) for _ in "12"]
        for user in ("zoe", "ines", "malik"):
            await platform.flag_content(user, posts[0])
        for user in ("zoe", "ines"):
            await platform.flag_content(user, posts[1])
        await platform.wait_until_idle()
        return posts

    async def alerts() -> list[dict[str, object]]:
        all_alerts = (await platform.request_ok("claire", "GET", "/metrics/v1/alerts"))["items"]
        return [item for item in all_alerts if item["space_id"] == space]

    first, _ = await five_flags()
    queue = (await platform.request_ok("omar", "GET", "/moderation/v1/cases"))["items"]
    assert [e["flags"] for e in queue if e["content_id"] == first] == [3]
    again = {"reason": "spam"}
    response = await platform.request("zoe", "POST", f"{CONTENTS}/{first}/flags", again)
    assert response.status_code == 409
    assert response.json()["type"] == "/community/problems/already_flagged"
    (alert,) = await alerts()
    assert (alert["observed"], alert["people"], alert["most_content_id"]) == (5, 3, first)
    await platform.wait_for_notification("claire", "alert", str(alert["alert_id"]))
    await five_flags()
    assert len(await alerts()) == 1, "one open alert per space"
    closed = await platform.request_ok(
        "claire", "POST", f"/metrics/v1/alerts/{alert['alert_id']}/close"
    )
    assert closed["closed_at"], "what was closed says so"
    await five_flags()
    assert len(await alerts()) == 2


async def test_an_edit_is_screened_again(platform: PlatformHarness) -> None:
    space = await platform.open_space("zoe", "malik")
    post = await platform.publish_post("malik", space, "Bonjour à toutes et tous.")
    await platform.request_ok("malik", "PUT", f"{CONTENTS}/{post}", {"body": INSULT})
    await platform.wait_for_standing("zoe", post, None)
    assert (await platform.wait_for_standing("malik", post, "hidden"))["version"] == 2
    await platform.request_ok(
        "malik", "PUT", f"{CONTENTS}/{post}", {"body": "Pardon, je me calme."}
    )
    await platform.wait_for_standing("zoe", post, "visible")
    case = await platform.wait_for_case(post)
    assert case["because"] == "rule", "what was said is still for a moderator to look at"


async def test_removal_leaves_a_tombstone_and_the_replies(platform: PlatformHarness) -> None:
    space = await platform.open_space("zoe", "hamid")
    post = await platform.publish_post("zoe", space, "Je le regrette déjà.")
    reply = await platform.publish_reply("hamid", post, "Pas de souci.")
    await platform.request_ok("zoe", "DELETE", f"{CONTENTS}/{post}")
    tomb, stays = (await platform.request_ok("hamid", "GET", f"{CONTENTS}/{post}"))["items"]
    assert (tomb["standing"], tomb["title"], tomb["body"]) == ("removed", None, "")
    assert (stays["content_id"], stays["body"]) == (reply, "Pas de souci.")
    late = await platform.request("hamid", "POST", f"{CONTENTS}/{post}/comments", {"body": "Si ?"})
    assert (late.status_code, late.json()["type"]) == (409, "/community/problems/content_gone")
    change = await platform.request("zoe", "PUT", f"{CONTENTS}/{post}", {"body": "Encore"})
    assert change.status_code == 409


async def test_a_hidden_post_does_not_end_the_pages_before_it(platform: PlatformHarness) -> None:
    space = await platform.open_space("zoe", "malik")
    first = await platform.publish_post("zoe", space, "La première.")
    hidden = await platform.publish_post("malik", space, INSULT)
    last = await platform.publish_post("zoe", space, "La dernière.")
    await platform.wait_for_standing("zoe", hidden, None)
    path, post_ids, cursor = f"/community/v1/spaces/{space}/posts?limit=1", [], ""
    for _ in range(4):
        page = await platform.request_ok("zoe", "GET", path + cursor)
        post_ids += [item["content_id"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert post_ids == [last, first]
