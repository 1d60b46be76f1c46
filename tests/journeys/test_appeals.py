"""Authors read the reasons of a restriction and contest it; another moderator decides."""

import pytest

from tests.journeys.at_risk import (
    CONTENTS,
    INSULT_TEXT,
    KIND_TEXT,
    STATEMENTS,
    list_appeals,
    unlisted_cruel_text,
    wait_for_statement,
)
from tests.support.platform_harness import PlatformHarness

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="session")]


async def test_statement_names_its_content_and_is_contested_once(platform: PlatformHarness) -> None:
    space = await platform.open_space("malik", "ines")
    await platform.publish_post("malik", space, "Un premier message, sans histoire.")
    post = await platform.publish_post("malik", space, INSULT_TEXT)
    await platform.wait_for_standing("malik", post, "hidden")
    statement = await wait_for_statement(platform, "malik", post)
    path = f"{STATEMENTS}/{statement['statement_id']}"
    assert await platform.request_ok("malik", "GET", path) == statement
    assert statement["content"] == {
        "content_id": post,
        "kind": "discussion",
        "root_id": post,
        "space_id": space,
        "structure_id": await platform.school_id(),
        "version": 1,
    }
    assert INSULT_TEXT in statement["excerpt"]
    assert statement["words"] != statement["reason"]
    contest = statement["contest"]
    assert (contest["state"], contest["path"]) == (
        "possible",
        f"{STATEMENTS}/{statement['statement_id']}/appeal",
    )

    text = {"text": "Je citais une réplique de la pièce, entre guillemets oubliés."}
    assert (await platform.request("ines", "POST", contest["path"], text)).status_code == 404
    await platform.request_ok("malik", "POST", contest["path"], text)
    second_appeal = await platform.request("malik", "POST", contest["path"], text)
    assert (second_appeal.status_code, second_appeal.json()["type"]) == (
        409,
        "/moderation/problems/already_appealed",
    )


async def test_overturned_decision_is_reversed_and_author_notified(
    platform: PlatformHarness,
) -> None:
    space = await platform.open_space("malik", "ines")
    post = await platform.publish_post("malik", space, INSULT_TEXT)
    await platform.wait_for_standing("malik", post, "hidden")
    statement = await wait_for_statement(platform, "malik", post)
    text = {"text": "Je citais une réplique de la pièce, guillemets oubliés."}
    await platform.request_ok("malik", "POST", statement["contest"]["path"], text)
    (appeal,) = await list_appeals(platform, "omar", post)
    path = f"/moderation/v1/appeals/{appeal['appeal_id']}"
    appeal_detail = await platform.request_ok("omar", "GET", path)
    assert (appeal_detail["text"], appeal_detail["decided_by"]) == (text["text"], "rule")
    assert INSULT_TEXT in appeal_detail["versions"][0]["text"]
    outcome = {"outcome": "overturned", "answer": "La citation est manifeste."}
    await platform.request_ok("omar", "POST", f"{path}/decision", outcome)
    await platform.wait_for_standing("ines", post, "visible")
    notification = await platform.wait_for_notification(
        "malik", "appeal_decided", statement["statement_id"]
    )
    statement = await platform.request_ok("malik", "GET", f"{STATEMENTS}/{notification['about']}")
    contest = statement["contest"]
    assert (contest["state"], contest["outcome"], contest["answer"]) == (
        "decided",
        "overturned",
        outcome["answer"],
    )


async def test_first_moderator_cannot_decide_the_appeal(platform: PlatformHarness) -> None:
    space = await platform.open_space("malik", "ines")
    words = unlisted_cruel_text()
    post = await platform.publish_post("malik", space, words)
    await platform.flag_content("ines", post)
    await platform.decide_case(await platform.wait_for_case(post), "remove")
    statement = await wait_for_statement(platform, "malik", post)
    await platform.wait_for_standing("ines", post, "removed")
    path = statement["contest"]["path"]
    await platform.request_ok("malik", "POST", path, {"text": "Elle était invitée, demandez-lui."})

    assert await list_appeals(platform, "omar", post) == []
    (appeal,) = await list_appeals(platform, "anne", post)
    path = f"/moderation/v1/appeals/{appeal['appeal_id']}/decision"
    outcome = {"outcome": "overturned", "answer": "C’est vrai, après vérification."}
    response = await platform.request("omar", "POST", path, outcome)
    assert (response.status_code, response.json()["rule"]) == (403, "appeal.someone_else")
    await platform.request_ok("anne", "POST", path, outcome)
    content = await platform.wait_for_standing("ines", post, "visible")
    assert content["body"] == words
    late_decision = await platform.request("anne", "POST", path, outcome)
    assert (late_decision.status_code, late_decision.json()["type"]) == (
        409,
        "/moderation/problems/appeal_is_decided",
    )


async def test_upheld_decision_keeps_the_content_hidden(platform: PlatformHarness) -> None:
    space = await platform.open_space("malik", "ines")
    post = await platform.publish_post("malik", space, INSULT_TEXT)
    await platform.wait_for_standing("malik", post, "hidden")
    statement = await wait_for_statement(platform, "malik", post)
    await platform.request_ok("malik", "POST", statement["contest"]["path"], {"text": "Et alors ?"})
    (appeal,) = await list_appeals(platform, "anne", post)
    path = f"/moderation/v1/appeals/{appeal['appeal_id']}/decision"
    await platform.request_ok(
        "anne", "POST", path, {"outcome": "upheld", "answer": "C’est une insulte."}
    )
    await platform.wait_for_notification("malik", "appeal_decided", statement["statement_id"])
    await platform.wait_until_idle()
    assert (await platform.request("ines", "GET", f"{CONTENTS}/{post}")).status_code == 404


async def test_reversed_decision_shows_later_version_that_passed(
    platform: PlatformHarness,
) -> None:
    space = await platform.open_space("malik", "ines")
    words = unlisted_cruel_text()
    post = await platform.publish_post("malik", space, words)
    await platform.flag_content("ines", post)
    await platform.decide_case(await platform.wait_for_case(post), "hide")
    await platform.wait_for_standing("malik", post, "hidden")
    await platform.request_ok("malik", "PUT", f"{CONTENTS}/{post}", {"body": KIND_TEXT})
    statement = await wait_for_statement(platform, "malik", post)
    await platform.request_ok("malik", "POST", statement["contest"]["path"], {"text": "Relisez."})
    await platform.wait_until_idle()
    (appeal,) = await list_appeals(platform, "anne", post)
    path = f"/moderation/v1/appeals/{appeal['appeal_id']}/decision"
    await platform.request_ok("anne", "POST", path, {"outcome": "overturned", "answer": "Soit."})
    assert (await platform.wait_for_standing("ines", post, "visible"))["version"] == 2
