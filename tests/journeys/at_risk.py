"""What the stories of people at risk have in common: the texts, and where to look."""

from itertools import count

from tests.support.platform_harness import Json, World

CALL = "Samedi 28 novembre, j’ai compris que j’ai envie de mourir. Je n’en peux plus, à bientôt…"
_PARTIES = count(1)
KIND = "Élodie, viens à la fête du 5 décembre : on garde une place pour toi !"
INSULT = "Tu es vraiment un connard, dégage."
CONTENTS = "/community/v1/contents"
CASES = "/moderation/v1/cases"
INBOX = "/notifications/v1/inbox"
STATEMENTS = "/moderation/v1/statements"


def cruel_words() -> str:
    """Give cruel words that no rule knows, others each time: many copies of a text are a case."""
    party = next(_PARTIES)
    return f"Élodie, personne ne t’a invitée à la fête numéro {party}, et c’est très bien ainsi."


async def dossier_of(world: World, content: str) -> Json:
    """Read the open case of a content as Omar."""
    case = await world.case_of(content)
    return await world.ask("omar", "GET", f"{CASES}/{case['case_id']}")


async def shown_to(world: World, who: str, content: str) -> Json:
    """Give a content as someone reads it."""
    items = (await world.ask(who, "GET", f"{CONTENTS}/{content}"))["items"]
    return next(each for each in items if each["content_id"] == content)


async def decision(world: World, case: Json, version: int, action: str) -> int:
    """Decide a case as Omar on a version; give the status of the answer."""
    body = {"version": version, "action": action, "policy": "insult", "reason": "insult.direct"}
    path = f"{CASES}/{case['case_id']}/decision"
    return (await world.call("omar", "POST", path, body)).status_code


async def statement_about(world: World, who: str, content: str) -> Json:
    """Wait for the statement of what was decided of a content."""

    async def look() -> Json | None:
        items = (await world.ask(who, "GET", STATEMENTS))["items"]
        return next((e for e in items if e["content"]["content_id"] == content), None)

    return await world.until(look)


async def notices(world: World, who: str, about: str) -> list[Json]:
    """List what someone was told about a content."""
    items = (await world.ask(who, "GET", INBOX))["items"]
    return [each for each in items if each["about"] == about]


async def appeals_of(world: World, who: str, content: str) -> list[Json]:
    """List the open appeals about a content that someone may decide."""
    items = (await world.ask(who, "GET", "/moderation/v1/appeals"))["items"]
    return [each for each in items if each["content"]["content_id"] == content]
