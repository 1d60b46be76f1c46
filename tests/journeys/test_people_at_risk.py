"""Stories of people at risk: who calls for help, who is flagged, who edits or takes back."""

import pytest

from tests.journeys.at_risk import (
    CASES,
    CONTENTS,
    HELP_CALL_TEXT,
    INBOX,
    INSULT_TEXT,
    KIND_TEXT,
    list_notifications,
    post_decision,
    read_content,
    read_open_case,
    unlisted_cruel_text,
    wait_for_statement,
)
from tests.support.platform_harness import PlatformHarness, member_id_of

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="session")]


async def test_a_call_for_help_is_answered_and_stays_when_it_is_taken_back(
    world: PlatformHarness,
) -> None:
    space = await world.open_space("zoe", "ines")
    post = await world.publish_post("zoe", space, HELP_CALL_TEXT)
    notice = await world.wait_for_notification("zoe", "help", post)
    assert "3114" in notice["words"]
    assert "une personne va" in notice["words"]
    english = (await world.request_ok("zoe", "GET", INBOX, accept_language="en"))["items"]
    assert "call 3114 in France" in next(e["words"] for e in english if e["about"] == post)
    await world.wait_until_idle()
    assert "3114" in (await read_content(world, "zoe", post))["help"]
    for other in ("ines", "omar"):
        assert (await read_content(world, other, post))["help"] is None, "for its author only"

    await world.request_ok("zoe", "DELETE", f"{CONTENTS}/{post}")
    await world.wait_until_idle()

    assert "3114" in (await read_content(world, "zoe", post))["help"], "on what is left of it"
    assert [each["category"] for each in await list_notifications(world, "zoe", post)] == ["help"]
    dossier = await read_open_case(world, post)
    assert (dossier["severity"], dossier["state"], dossier["text"]) == (4, "open", None)
    assert dossier["removed_at"] is not None
    assert "envie de mourir" in dossier["evidence"][0]["text"]
    assert [e["what"] for e in dossier["timeline"]] == ["rule", "removed_by_author"]


async def test_words_of_help_are_offered_once_a_day_for_a_content(world: PlatformHarness) -> None:
    space = await world.open_space("zoe")
    post = await world.publish_post("zoe", space, HELP_CALL_TEXT)
    for number in range(3):
        await world.request_ok(
            "zoe", "PUT", f"{CONTENTS}/{post}", {"body": f"{HELP_CALL_TEXT} ({number})"}
        )
    await world.wait_until_idle()
    assert len(await list_notifications(world, "zoe", post)) == 1
    dossier = await read_open_case(world, post)
    assert [each["version"] for each in dossier["evidence"]] == [1, 2, 3, 4]


async def test_a_flagged_text_is_judged_though_its_author_removed_it(
    world: PlatformHarness,
) -> None:
    space = await world.open_space("malik", "ines", "tom")
    words = unlisted_cruel_text()
    post = await world.publish_post("malik", space, words)
    await world.flag_content("ines", post)
    await world.request_ok("malik", "DELETE", f"{CONTENTS}/{post}")
    await world.flag_content("tom", post)
    await world.wait_until_idle()

    dossier = await read_open_case(world, post)
    assert (dossier["flags"], dossier["text"]) == (2, None)
    assert dossier["removed_at"] is not None
    assert [each["person"] for each in dossier["flagged"]] == [1, 2]
    assert "personne ne t’a invitée" in dossier["evidence"][0]["text"]
    assert (await read_content(world, "tom", post))["body"] == "", "a tombstone, no text"

    assert await post_decision(world, dossier, 1, "hide") == 201
    statement = await wait_for_statement(world, "malik", post)
    await world.wait_for_notification("malik", "statement", statement["statement_id"])
    assert statement["excerpt"].endswith(words)
    assert statement["words"].startswith("Ton message contient une insulte."), "no code"
    await world.wait_until_idle()
    assert (await read_content(world, "malik", post))["standing"] == "removed"


async def test_what_a_decision_removed_is_flagged_no_more(world: PlatformHarness) -> None:
    space = await world.open_space("malik", "ines", "tom")
    words = unlisted_cruel_text()
    post = await world.publish_post("malik", space, words)
    await world.flag_content("ines", post)
    await world.decide_case(await world.wait_for_case(post), "remove")
    await world.wait_for_standing("tom", post, "removed")
    answer = await world.request("tom", "POST", f"{CONTENTS}/{post}/flags", {"reason": "insult"})
    assert (answer.status_code, answer.json()["type"]) == (409, "/community/problems/content_gone")


async def test_the_flagged_words_stay_before_the_moderator_after_an_edit(
    world: PlatformHarness,
) -> None:
    space = await world.open_space("malik", "ines", "tom")
    words = unlisted_cruel_text()
    post = await world.publish_post("malik", space, words)
    await world.flag_content("ines", post)
    await world.request_ok("malik", "PUT", f"{CONTENTS}/{post}", {"body": KIND_TEXT})
    await world.flag_content("ines", post)
    # Tom had read the first version when it was edited.
    flag = {"reason": "insult", "version": 1}
    await world.request_ok("tom", "POST", f"{CONTENTS}/{post}/flags", flag)
    await world.wait_until_idle()

    dossier = await read_open_case(world, post)
    assert dossier["flags"] == 2, "one person who flags twice is one person"
    assert [(e["person"], e["version"], e["reason"]) for e in dossier["flagged"]] == [
        (1, 1, "harassment"),
        (1, 2, "harassment"),
        (2, 1, "insult"),
    ]
    before, now = dossier["evidence"]
    assert before["text"].endswith(words)
    assert before["why"] == ["flags"]
    assert now["text"].endswith(KIND_TEXT)
    assert dossier["text"].endswith(KIND_TEXT)
    assert dossier["version"] == 2
    assert dossier["edited_at"] is not None
    absent = await world.request("tom", "POST", f"{CONTENTS}/{post}/flags", flag | {"version": 3})
    assert (absent.status_code, absent.json()["type"]) == (
        422,
        "/community/problems/no_such_version",
    )


async def test_a_decision_names_the_version_that_was_read(world: PlatformHarness) -> None:
    """Bait and switch: a harmless text is flagged, read, and becomes an insult."""
    space = await world.open_space("malik", "ines")
    post = await world.publish_post("malik", space, KIND_TEXT)
    await world.flag_content("ines", post)
    read = await read_open_case(world, post)
    await world.request_ok("malik", "PUT", f"{CONTENTS}/{post}", {"body": INSULT_TEXT})
    await world.wait_for_standing("ines", post, None)

    body = {"version": read["version"], "action": "keep", "policy": "other", "reason": "other"}
    path = f"{CASES}/{read['case_id']}/decision"
    answer = await world.request("omar", "POST", path, body)
    assert (answer.status_code, answer.json()["version"]) == (409, 2)
    assert answer.json()["type"] == "/moderation/problems/content_changed"
    assert (await world.request("ines", "GET", f"{CONTENTS}/{post}")).status_code == 404

    missing = {name: value for name, value in body.items() if name != "version"}
    assert (await world.request("omar", "POST", path, missing)).status_code == 422
    await world.request_ok("omar", "POST", path, body | {"version": 2})
    await world.wait_for_standing("ines", post, "visible")


async def test_a_corrected_text_is_shown_when_only_a_rule_had_hidden_it(
    world: PlatformHarness,
) -> None:
    space = await world.open_space("malik", "ines")
    post = await world.publish_post("malik", space, INSULT_TEXT)
    await world.wait_for_standing("malik", post, "hidden")
    await world.request_ok("malik", "PUT", f"{CONTENTS}/{post}", {"body": "Toi, quel crétin !"})
    await world.wait_until_idle()
    second = await read_content(world, "malik", post)
    assert (second["standing"], second["under_review"]) == ("hidden", None)
    await world.request_ok("malik", "PUT", f"{CONTENTS}/{post}", {"body": KIND_TEXT})
    await world.wait_for_standing("ines", post, "visible")


async def test_a_corrected_text_waits_for_a_person_when_one_had_hidden_it(
    world: PlatformHarness,
) -> None:
    space = await world.open_space("malik", "ines")
    words = unlisted_cruel_text()
    post = await world.publish_post("malik", space, words)
    await world.flag_content("ines", post)
    await world.decide_case(await world.wait_for_case(post), "hide")
    await world.wait_for_standing("malik", post, "hidden")

    await world.request_ok("malik", "PUT", f"{CONTENTS}/{post}", {"body": KIND_TEXT})
    await world.wait_until_idle()

    waiting = await read_content(world, "malik", post)
    assert (waiting["standing"], waiting["under_review"]) == ("hidden", "moderator")
    assert (await world.request("ines", "GET", f"{CONTENTS}/{post}")).status_code == 404
    dossier = await read_open_case(world, post)
    assert (dossier["because"], dossier["version"]) == ("corrected", 2)
    assert await post_decision(world, dossier, 2, "keep") == 201
    await world.wait_for_standing("ines", post, "visible")


async def test_a_flag_tells_the_moderators_nothing_of_who_raised_it(world: PlatformHarness) -> None:
    space = await world.open_space("malik", "ines")
    words = unlisted_cruel_text()
    post = await world.publish_post("malik", space, words)
    await world.flag_content("ines", post)
    case = await world.wait_for_case(post)
    answer = await world.request("omar", "GET", f"{CASES}/{case['case_id']}")
    assert str(member_id_of(world.tokens["ines"])) not in answer.text
