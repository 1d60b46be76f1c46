"""People at risk: calls for help, flags, edits and removals."""

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


async def test_call_for_help_keeps_its_case_after_removal(
    platform: PlatformHarness,
) -> None:
    space = await platform.open_space("zoe", "ines")
    post = await platform.publish_post("zoe", space, HELP_CALL_TEXT)
    notification = await platform.wait_for_notification("zoe", "help", post)
    assert "3114" in notification["words"]
    assert "une personne va" in notification["words"]
    english = (await platform.request_ok("zoe", "GET", INBOX, accept_language="en"))["items"]
    assert "call 3114 in France" in next(e["words"] for e in english if e["about"] == post)
    await platform.wait_until_idle()
    assert "3114" in (await read_content(platform, "zoe", post))["help"]
    for other in ("ines", "omar"):
        assert (await read_content(platform, other, post))["help"] is None, (
            "help is shown to the author only"
        )

    await platform.request_ok("zoe", "DELETE", f"{CONTENTS}/{post}")
    await platform.wait_until_idle()

    assert "3114" in (await read_content(platform, "zoe", post))["help"], (
        "help stays on the tombstone"
    )
    assert [item["category"] for item in await list_notifications(platform, "zoe", post)] == [
        "help"
    ]
    case_file = await read_open_case(platform, post)
    assert (case_file["severity"], case_file["state"], case_file["text"]) == (4, "open", None)
    assert case_file["removed_at"] is not None
    assert "envie de mourir" in case_file["evidence"][0]["text"]
    assert [e["what"] for e in case_file["timeline"]] == ["rule", "removed_by_author"]


async def test_help_is_offered_once_a_day_for_a_content(platform: PlatformHarness) -> None:
    space = await platform.open_space("zoe")
    post = await platform.publish_post("zoe", space, HELP_CALL_TEXT)
    for number in range(3):
        await platform.request_ok(
            "zoe", "PUT", f"{CONTENTS}/{post}", {"body": f"{HELP_CALL_TEXT} ({number})"}
        )
    await platform.wait_until_idle()
    assert len(await list_notifications(platform, "zoe", post)) == 1
    case_file = await read_open_case(platform, post)
    assert [item["version"] for item in case_file["evidence"]] == [1, 2, 3, 4]


async def test_flagged_text_is_decided_after_its_author_removed_it(
    platform: PlatformHarness,
) -> None:
    space = await platform.open_space("malik", "ines", "tom")
    words = unlisted_cruel_text()
    post = await platform.publish_post("malik", space, words)
    await platform.flag_content("ines", post)
    await platform.request_ok("malik", "DELETE", f"{CONTENTS}/{post}")
    await platform.flag_content("tom", post)
    await platform.wait_until_idle()

    case_file = await read_open_case(platform, post)
    assert (case_file["flags"], case_file["text"]) == (2, None)
    assert case_file["removed_at"] is not None
    assert [item["person"] for item in case_file["flagged"]] == [1, 2]
    assert "personne ne t’a invitée" in case_file["evidence"][0]["text"]
    assert (await read_content(platform, "tom", post))["body"] == "", "a tombstone without a text"

    assert await post_decision(platform, case_file, 1, "hide") == 201
    statement = await wait_for_statement(platform, "malik", post)
    await platform.wait_for_notification("malik", "statement", statement["statement_id"])
    assert statement["excerpt"].endswith(words)
    assert statement["words"].startswith("Ton message contient une insulte."), (
        "a sentence, not a key"
    )
    await platform.wait_until_idle()
    assert (await read_content(platform, "malik", post))["standing"] == "removed"


async def test_content_removed_by_decision_cannot_be_flagged(platform: PlatformHarness) -> None:
    space = await platform.open_space("malik", "ines", "tom")
    words = unlisted_cruel_text()
    post = await platform.publish_post("malik", space, words)
    await platform.flag_content("ines", post)
    await platform.decide_case(await platform.wait_for_case(post), "remove")
    await platform.wait_for_standing("tom", post, "removed")
    response = await platform.request(
        "tom", "POST", f"{CONTENTS}/{post}/flags", {"reason": "insult"}
    )
    assert (response.status_code, response.json()["type"]) == (
        409,
        "/community/problems/content_gone",
    )


async def test_moderator_reads_flagged_version_after_an_edit(
    platform: PlatformHarness,
) -> None:
    space = await platform.open_space("malik", "ines", "tom")
    words = unlisted_cruel_text()
    post = await platform.publish_post("malik", space, words)
    await platform.flag_content("ines", post)
    await platform.request_ok("malik", "PUT", f"{CONTENTS}/{post}", {"body": KIND_TEXT})
    await platform.flag_content("ines", post)
    # Tom read the first version before it was edited.
    flag = {"reason": "insult", "version": 1}
    await platform.request_ok("tom", "POST", f"{CONTENTS}/{post}/flags", flag)
    await platform.wait_until_idle()

    case_file = await read_open_case(platform, post)
    assert case_file["flags"] == 2, "two flags of one member count once"
    assert [(e["person"], e["version"], e["reason"]) for e in case_file["flagged"]] == [
        (1, 1, "harassment"),
        (1, 2, "harassment"),
        (2, 1, "insult"),
    ]
    first_evidence, latest_evidence = case_file["evidence"]
    assert first_evidence["text"].endswith(words)
    assert first_evidence["why"] == ["flags"]
    assert latest_evidence["text"].endswith(KIND_TEXT)
    assert case_file["text"].endswith(KIND_TEXT)
    assert case_file["version"] == 2
    assert case_file["edited_at"] is not None
    unknown_version = await platform.request(
        "tom", "POST", f"{CONTENTS}/{post}/flags", flag | {"version": 3}
    )
    assert (unknown_version.status_code, unknown_version.json()["type"]) == (
        422,
        "/community/problems/no_such_version",
    )


async def test_decision_names_the_version_that_was_read(platform: PlatformHarness) -> None:
    """A harmless text is flagged and read, then edited into an insult before the decision."""
    space = await platform.open_space("malik", "ines")
    post = await platform.publish_post("malik", space, KIND_TEXT)
    await platform.flag_content("ines", post)
    case_file = await read_open_case(platform, post)
    await platform.request_ok("malik", "PUT", f"{CONTENTS}/{post}", {"body": INSULT_TEXT})
    await platform.wait_for_standing("ines", post, None)

    body = {"version": case_file["version"], "action": "keep", "policy": "other", "reason": "other"}
    path = f"{CASES}/{case_file['case_id']}/decision"
    response = await platform.request("omar", "POST", path, body)
    assert (response.status_code, response.json()["version"]) == (409, 2)
    assert response.json()["type"] == "/moderation/problems/content_changed"
    assert (await platform.request("ines", "GET", f"{CONTENTS}/{post}")).status_code == 404

    body_without_version = {name: value for name, value in body.items() if name != "version"}
    assert (await platform.request("omar", "POST", path, body_without_version)).status_code == 422
    await platform.request_ok("omar", "POST", path, body | {"version": 2})
    await platform.wait_for_standing("ines", post, "visible")


async def test_corrected_text_is_shown_after_a_rule_hid_it(
    platform: PlatformHarness,
) -> None:
    space = await platform.open_space("malik", "ines")
    post = await platform.publish_post("malik", space, INSULT_TEXT)
    await platform.wait_for_standing("malik", post, "hidden")
    await platform.request_ok("malik", "PUT", f"{CONTENTS}/{post}", {"body": "Toi, quel crétin !"})
    await platform.wait_until_idle()
    second_version = await read_content(platform, "malik", post)
    assert (second_version["standing"], second_version["under_review"]) == ("hidden", None)
    await platform.request_ok("malik", "PUT", f"{CONTENTS}/{post}", {"body": KIND_TEXT})
    await platform.wait_for_standing("ines", post, "visible")


async def test_corrected_text_waits_for_moderator_after_moderator_hid_it(
    platform: PlatformHarness,
) -> None:
    space = await platform.open_space("malik", "ines")
    words = unlisted_cruel_text()
    post = await platform.publish_post("malik", space, words)
    await platform.flag_content("ines", post)
    await platform.decide_case(await platform.wait_for_case(post), "hide")
    await platform.wait_for_standing("malik", post, "hidden")

    await platform.request_ok("malik", "PUT", f"{CONTENTS}/{post}", {"body": KIND_TEXT})
    await platform.wait_until_idle()

    hidden_content = await read_content(platform, "malik", post)
    assert (hidden_content["standing"], hidden_content["under_review"]) == ("hidden", "moderator")
    assert (await platform.request("ines", "GET", f"{CONTENTS}/{post}")).status_code == 404
    case_file = await read_open_case(platform, post)
    assert (case_file["because"], case_file["version"]) == ("corrected", 2)
    assert await post_decision(platform, case_file, 2, "keep") == 201
    await platform.wait_for_standing("ines", post, "visible")


async def test_flag_does_not_reveal_its_member_to_moderators(platform: PlatformHarness) -> None:
    space = await platform.open_space("malik", "ines")
    words = unlisted_cruel_text()
    post = await platform.publish_post("malik", space, words)
    await platform.flag_content("ines", post)
    case = await platform.wait_for_case(post)
    response = await platform.request("omar", "GET", f"{CASES}/{case['case_id']}")
    assert str(member_id_of(platform.tokens["ines"])) not in response.text
