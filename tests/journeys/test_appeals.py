"""Authors read the reasons of a restriction and contest it; someone else decides."""

import pytest

from tests.journeys.at_risk import (
    CONTENTS,
    INSULT,
    KIND,
    STATEMENTS,
    appeals_of,
    cruel_words,
    statement_about,
)
from tests.support.platform_harness import World

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="session")]


async def test_a_statement_names_its_content_and_is_contested_once(world: World) -> None:
    space = await world.space("malik", "ines")
    await world.post("malik", space, "Un premier message, sans histoire.")
    post = await world.post("malik", space, INSULT)
    await world.seen_as("malik", post, "hidden")
    statement = await statement_about(world, "malik", post)
    path = f"{STATEMENTS}/{statement['statement_id']}"
    assert await world.ask("malik", "GET", path) == statement
    assert statement["content"] == {
        "content_id": post,
        "kind": "discussion",
        "root_id": post,
        "space_id": space,
        "structure_id": await world.school(),
        "version": 1,
    }
    assert INSULT in statement["excerpt"]
    assert statement["words"] != statement["reason"]
    contest = statement["contest"]
    assert (contest["state"], contest["path"]) == (
        "possible",
        f"{STATEMENTS}/{statement['statement_id']}/appeal",
    )

    text = {"text": "Je citais une réplique de la pièce, entre guillemets oubliés."}
    assert (await world.call("ines", "POST", contest["path"], text)).status_code == 404
    await world.ask("malik", "POST", contest["path"], text)
    again = await world.call("malik", "POST", contest["path"], text)
    assert (again.status_code, again.json()["type"]) == (
        409,
        "/moderation/problems/already_appealed",
    )


async def test_an_overturned_decision_is_reversed_and_its_author_told(world: World) -> None:
    space = await world.space("malik", "ines")
    post = await world.post("malik", space, INSULT)
    await world.seen_as("malik", post, "hidden")
    statement = await statement_about(world, "malik", post)
    text = {"text": "Je citais une réplique de la pièce, guillemets oubliés."}
    await world.ask("malik", "POST", statement["contest"]["path"], text)
    (appeal,) = await appeals_of(world, "omar", post)
    path = f"/moderation/v1/appeals/{appeal['appeal_id']}"
    read = await world.ask("omar", "GET", path)
    assert (read["text"], read["decided_by"]) == (text["text"], "rule")
    assert INSULT in read["versions"][0]["text"]
    outcome = {"outcome": "overturned", "answer": "La citation est manifeste."}
    await world.ask("omar", "POST", f"{path}/decision", outcome)
    await world.seen_as("ines", post, "visible")
    told = await world.told("malik", "appeal_decided", statement["statement_id"])
    read = await world.ask("malik", "GET", f"{STATEMENTS}/{told['about']}")
    assert (read["contest"]["state"], read["contest"]["outcome"], read["contest"]["answer"]) == (
        "decided",
        "overturned",
        outcome["answer"],
    )


async def test_who_decided_first_does_not_decide_the_appeal(world: World) -> None:
    space = await world.space("malik", "ines")
    words = cruel_words()
    post = await world.post("malik", space, words)
    await world.flag("ines", post)
    await world.decide(await world.case_of(post), "remove")
    statement = await statement_about(world, "malik", post)
    await world.seen_as("ines", post, "removed")
    path = statement["contest"]["path"]
    await world.ask("malik", "POST", path, {"text": "Elle était invitée, demandez-lui."})

    assert await appeals_of(world, "omar", post) == []
    (appeal,) = await appeals_of(world, "anne", post)
    path = f"/moderation/v1/appeals/{appeal['appeal_id']}/decision"
    outcome = {"outcome": "overturned", "answer": "C’est vrai, après vérification."}
    refused = await world.call("omar", "POST", path, outcome)
    assert (refused.status_code, refused.json()["rule"]) == (403, "appeal.someone_else")
    await world.ask("anne", "POST", path, outcome)
    shown = await world.seen_as("ines", post, "visible")
    assert shown["body"] == words
    late = await world.call("anne", "POST", path, outcome)
    assert (late.status_code, late.json()["type"]) == (
        409,
        "/moderation/problems/appeal_is_decided",
    )


async def test_an_upheld_decision_stays(world: World) -> None:
    space = await world.space("malik", "ines")
    post = await world.post("malik", space, INSULT)
    await world.seen_as("malik", post, "hidden")
    statement = await statement_about(world, "malik", post)
    await world.ask("malik", "POST", statement["contest"]["path"], {"text": "Et alors ?"})
    (appeal,) = await appeals_of(world, "anne", post)
    path = f"/moderation/v1/appeals/{appeal['appeal_id']}/decision"
    await world.ask("anne", "POST", path, {"outcome": "upheld", "answer": "C’est une insulte."})
    await world.told("malik", "appeal_decided", statement["statement_id"])
    await world.settle()
    assert (await world.call("ines", "GET", f"{CONTENTS}/{post}")).status_code == 404


async def test_a_later_text_that_passes_is_shown_when_the_decision_is_reversed(
    world: World,
) -> None:
    space = await world.space("malik", "ines")
    words = cruel_words()
    post = await world.post("malik", space, words)
    await world.flag("ines", post)
    await world.decide(await world.case_of(post), "hide")
    await world.seen_as("malik", post, "hidden")
    await world.ask("malik", "PUT", f"{CONTENTS}/{post}", {"body": KIND})
    statement = await statement_about(world, "malik", post)
    await world.ask("malik", "POST", statement["contest"]["path"], {"text": "Relisez."})
    await world.settle()
    (appeal,) = await appeals_of(world, "anne", post)
    path = f"/moderation/v1/appeals/{appeal['appeal_id']}/decision"
    await world.ask("anne", "POST", path, {"outcome": "overturned", "answer": "Soit."})
    assert (await world.seen_as("ines", post, "visible"))["version"] == 2
