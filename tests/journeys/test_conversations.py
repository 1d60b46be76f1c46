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
    notification = await platform.wait_for_notification("zoe", "answer_to_mine", answer_id)
    unread_before = (await platform.request_ok("zoe", "GET", "/notifications/v1/inbox"))["unread"]
    path = f"/notifications/v1/inbox/{notification['notification_id']}/read"
    await platform.request_ok("zoe", "POST", path)
    await platform.request_ok("zoe", "POST", path)
    unread = (await platform.request_ok("zoe", "GET", "/notifications/v1/inbox"))["unread"]
    assert unread == unread_before - 1
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
    notification = await platform.wait_for_notification("malik", "statement")
    path = f"/moderation/v1/statements/{notification['about']}"
    statement = await platform.request_ok("malik", "GET", path, accept_language="fr")
    assert statement["action"] == "hide"
    assert statement["decided_by"] == "rule"
    assert statement["words"] != statement["reason"], "a sentence, not a key"
    assert (await platform.request("zoe", "GET", path)).status_code == 404
    assert (await platform.wait_for_standing("malik", comment, "hidden"))["reason"]
    await platform.wait_for_standing("omar", comment, "hidden")
    case = await platform.wait_for_case(comment)
    case_file = await platform.request_ok("omar", "GET", f"/moderation/v1/cases/{case['case_id']}")
    assert INSULT in case_file["text"], "moderators read the text"
    assert "malik@exemple.fr" not in case_file["text"], "e-mail addresses are masked"
    await platform.decide_case(case, "keep")
    await platform.wait_for_standing("zoe", comment, "visible")
    await platform.wait_until_idle()
    queue = (await platform.request_ok("omar", "GET", "/moderation/v1/cases"))["items"]
    assert comment not in {item["content_id"] for item in queue}


async def _send_five_flags(platform: PlatformHarness, space: str) -> tuple[str, str]:
    """Publish two posts that three users flag; return their ids, the most flagged first."""
    text = "On se retrouve tous contre lui."
    first_post, second_post = [await platform.publish_post("tom", space, text) for _ in range(2)]
    for user in ("zoe", "ines", "malik"):
        await platform.flag_content(user, first_post)
    for user in ("zoe", "ines"):
        await platform.flag_content(user, second_post)
    await platform.wait_until_idle()
    return first_post, second_post


async def test_flags_make_one_case_and_one_alert_until_closed(
    platform: PlatformHarness,
) -> None:
    space = await platform.open_space("zoe", "ines", "malik", "tom", "hamid")

    async def list_alerts() -> list[dict[str, object]]:
        all_alerts = (await platform.request_ok("claire", "GET", "/metrics/v1/alerts"))["items"]
        return [item for item in all_alerts if item["space_id"] == space]

    first_post, _ = await _send_five_flags(platform, space)
    queue = (await platform.request_ok("omar", "GET", "/moderation/v1/cases"))["items"]
    assert [e["flags"] for e in queue if e["content_id"] == first_post] == [3]
    second_flag = {"reason": "spam"}
    response = await platform.request("zoe", "POST", f"{CONTENTS}/{first_post}/flags", second_flag)
    assert (response.status_code, response.json()["type"]) == (
        409,
        "/community/problems/already_flagged",
    )
    (alert,) = await list_alerts()
    assert (alert["observed"], alert["people"], alert["most_content_id"]) == (5, 3, first_post)
    await platform.wait_for_notification("claire", "alert", str(alert["alert_id"]))
    await _send_five_flags(platform, space)
    assert len(await list_alerts()) == 1, "one open alert per space"
    closed_alert = await platform.request_ok(
        "claire", "POST", f"/metrics/v1/alerts/{alert['alert_id']}/close"
    )
    assert closed_alert["closed_at"], "a closed alert has a closing time"
    await _send_five_flags(platform, space)
    assert len(await list_alerts()) == 2


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
    assert case["because"] == "rule", "a moderator still reviews the first version"


async def test_removal_leaves_a_tombstone_and_the_replies(platform: PlatformHarness) -> None:
    space = await platform.open_space("zoe", "hamid")
    post = await platform.publish_post("zoe", space, "Je le regrette déjà.")
    reply = await platform.publish_reply("hamid", post, "Pas de souci.")
    await platform.request_ok("zoe", "DELETE", f"{CONTENTS}/{post}")
    tombstone, remaining = (await platform.request_ok("hamid", "GET", f"{CONTENTS}/{post}"))[
        "items"
    ]
    assert (tombstone["standing"], tombstone["title"], tombstone["body"]) == ("removed", None, "")
    assert (remaining["content_id"], remaining["body"]) == (reply, "Pas de souci.")
    late_comment = await platform.request(
        "hamid", "POST", f"{CONTENTS}/{post}/comments", {"body": "Si ?"}
    )
    assert (late_comment.status_code, late_comment.json()["type"]) == (
        409,
        "/community/problems/content_gone",
    )
    late_edit = await platform.request("zoe", "PUT", f"{CONTENTS}/{post}", {"body": "Encore"})
    assert late_edit.status_code == 409


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
