"""Stories of people at risk: who calls for help, who is flagged, who edits or takes back."""

import pytest

from tests.journeys.at_risk import (
    CALL,
    CASES,
    CONTENTS,
    INBOX,
    INSULT,
    KIND,
    cruel_words,
    decision,
    dossier_of,
    notices,
    shown_to,
    statement_about,
)
from tests.support.platform_harness import World, member_of

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="session")]


async def test_a_call_for_help_is_answered_and_stays_when_it_is_taken_back(world: World) -> None:
    space = await world.space("zoe", "ines")
    post = await world.post("zoe", space, CALL)
    notice = await world.told("zoe", "help", post)
    assert "3114" in notice["words"]
    assert "une personne va" in notice["words"]
    english = (await world.ask("zoe", "GET", INBOX, accept_language="en"))["items"]
    assert "call 3114 in France" in next(e["words"] for e in english if e["about"] == post)
    await world.settle()
    assert "3114" in (await shown_to(world, "zoe", post))["help"]
    for other in ("ines", "omar"):
        assert (await shown_to(world, other, post))["help"] is None, "for its author only"

    await world.ask("zoe", "DELETE", f"{CONTENTS}/{post}")
    await world.settle()

    assert "3114" in (await shown_to(world, "zoe", post))["help"], "on what is left of it"
    assert [each["category"] for each in await notices(world, "zoe", post)] == ["help"]
    dossier = await dossier_of(world, post)
    assert (dossier["severity"], dossier["state"], dossier["text"]) == (4, "open", None)
    assert dossier["removed_at"] is not None
    assert "envie de mourir" in dossier["evidence"][0]["text"]
    assert [e["what"] for e in dossier["timeline"]] == ["rule", "removed_by_author"]


async def test_words_of_help_are_offered_once_a_day_for_a_content(world: World) -> None:
    space = await world.space("zoe")
    post = await world.post("zoe", space, CALL)
    for number in range(3):
        await world.ask("zoe", "PUT", f"{CONTENTS}/{post}", {"body": f"{CALL} ({number})"})
    await world.settle()
    assert len(await notices(world, "zoe", post)) == 1
    dossier = await dossier_of(world, post)
    assert [each["version"] for each in dossier["evidence"]] == [1, 2, 3, 4]


async def test_a_flagged_text_is_judged_though_its_author_removed_it(world: World) -> None:
    space = await world.space("malik", "ines", "tom")
    words = cruel_words()
    post = await world.post("malik", space, words)
    await world.flag("ines", post)
    await world.ask("malik", "DELETE", f"{CONTENTS}/{post}")
    await world.flag("tom", post)
    await world.settle()

    dossier = await dossier_of(world, post)
    assert (dossier["flags"], dossier["text"]) == (2, None)
    assert dossier["removed_at"] is not None
    assert [each["person"] for each in dossier["flagged"]] == [1, 2]
    assert "personne ne t’a invitée" in dossier["evidence"][0]["text"]
    assert (await shown_to(world, "tom", post))["body"] == "", "a tombstone, no text"

    assert await decision(world, dossier, 1, "hide") == 201
    statement = await statement_about(world, "malik", post)
    await world.told("malik", "statement", statement["statement_id"])
    assert statement["excerpt"].endswith(words)
    assert statement["words"].startswith("Ton message contient une insulte."), "no code"
    await world.settle()
    assert (await shown_to(world, "malik", post))["standing"] == "removed"


async def test_what_a_decision_removed_is_flagged_no_more(world: World) -> None:
    space = await world.space("malik", "ines", "tom")
    words = cruel_words()
    post = await world.post("malik", space, words)
    await world.flag("ines", post)
    await world.decide(await world.case_of(post), "remove")
    await world.seen_as("tom", post, "removed")
    answer = await world.call("tom", "POST", f"{CONTENTS}/{post}/flags", {"reason": "insult"})
    assert (answer.status_code, answer.json()["type"]) == (409, "/community/problems/content_gone")


async def test_the_flagged_words_stay_before_the_moderator_after_an_edit(world: World) -> None:
    space = await world.space("malik", "ines", "tom")
    words = cruel_words()
    post = await world.post("malik", space, words)
    await world.flag("ines", post)
    await world.ask("malik", "PUT", f"{CONTENTS}/{post}", {"body": KIND})
    await world.flag("ines", post)
    # Tom had read the first version when it was edited.
    flag = {"reason": "insult", "version": 1}
    await world.ask("tom", "POST", f"{CONTENTS}/{post}/flags", flag)
    await world.settle()

    dossier = await dossier_of(world, post)
    assert dossier["flags"] == 2, "one person who flags twice is one person"
    assert [(e["person"], e["version"], e["reason"]) for e in dossier["flagged"]] == [
        (1, 1, "harassment"),
        (1, 2, "harassment"),
        (2, 1, "insult"),
    ]
    before, now = dossier["evidence"]
    assert before["text"].endswith(words)
    assert before["why"] == ["flags"]
    assert now["text"].endswith(KIND)
    assert dossier["text"].endswith(KIND)
    assert dossier["version"] == 2
    assert dossier["edited_at"] is not None
    absent = await world.call("tom", "POST", f"{CONTENTS}/{post}/flags", flag | {"version": 3})
    assert (absent.status_code, absent.json()["type"]) == (
        422,
        "/community/problems/no_such_version",
    )


async def test_a_decision_names_the_version_that_was_read(world: World) -> None:
    """Bait and switch: a harmless text is flagged, read, and becomes an insult."""
    space = await world.space("malik", "ines")
    post = await world.post("malik", space, KIND)
    await world.flag("ines", post)
    read = await dossier_of(world, post)
    await world.ask("malik", "PUT", f"{CONTENTS}/{post}", {"body": INSULT})
    await world.seen_as("ines", post, None)

    body = {"version": read["version"], "action": "keep", "policy": "other", "reason": "other"}
    path = f"{CASES}/{read['case_id']}/decision"
    answer = await world.call("omar", "POST", path, body)
    assert (answer.status_code, answer.json()["version"]) == (409, 2)
    assert answer.json()["type"] == "/moderation/problems/content_changed"
    assert (await world.call("ines", "GET", f"{CONTENTS}/{post}")).status_code == 404

    missing = {name: value for name, value in body.items() if name != "version"}
    assert (await world.call("omar", "POST", path, missing)).status_code == 422
    await world.ask("omar", "POST", path, body | {"version": 2})
    await world.seen_as("ines", post, "visible")


async def test_a_corrected_text_is_shown_when_only_a_rule_had_hidden_it(world: World) -> None:
    space = await world.space("malik", "ines")
    post = await world.post("malik", space, INSULT)
    await world.seen_as("malik", post, "hidden")
    await world.ask("malik", "PUT", f"{CONTENTS}/{post}", {"body": "Toi, quel crétin !"})
    await world.settle()
    second = await shown_to(world, "malik", post)
    assert (second["standing"], second["under_review"]) == ("hidden", None)
    await world.ask("malik", "PUT", f"{CONTENTS}/{post}", {"body": KIND})
    await world.seen_as("ines", post, "visible")


async def test_a_corrected_text_waits_for_a_person_when_one_had_hidden_it(world: World) -> None:
    space = await world.space("malik", "ines")
    words = cruel_words()
    post = await world.post("malik", space, words)
    await world.flag("ines", post)
    await world.decide(await world.case_of(post), "hide")
    await world.seen_as("malik", post, "hidden")

    await world.ask("malik", "PUT", f"{CONTENTS}/{post}", {"body": KIND})
    await world.settle()

    waiting = await shown_to(world, "malik", post)
    assert (waiting["standing"], waiting["under_review"]) == ("hidden", "moderator")
    assert (await world.call("ines", "GET", f"{CONTENTS}/{post}")).status_code == 404
    dossier = await dossier_of(world, post)
    assert (dossier["because"], dossier["version"]) == ("corrected", 2)
    assert await decision(world, dossier, 2, "keep") == 201
    await world.seen_as("ines", post, "visible")


async def test_a_flag_tells_the_moderators_nothing_of_who_raised_it(world: World) -> None:
    space = await world.space("malik", "ines")
    words = cruel_words()
    post = await world.post("malik", space, words)
    await world.flag("ines", post)
    case = await world.case_of(post)
    answer = await world.call("omar", "GET", f"{CASES}/{case['case_id']}")
    assert str(member_of(world.tokens["ines"])) not in answer.text
