"""Texts and requests shared by the journeys of people at risk."""

from itertools import count

from tests.support.platform_harness import Json, PlatformHarness

HELP_CALL_TEXT = (
    "Samedi 28 novembre, j’ai compris que j’ai envie de mourir. Je n’en peux plus, à bientôt…"
)
_PARTY_NUMBERS = count(1)
KIND_TEXT = "Élodie, viens à la fête du 5 décembre : on garde une place pour toi !"
INSULT_TEXT = "Tu es vraiment un connard, dégage."
CONTENTS = "/community/v1/contents"
CASES = "/moderation/v1/cases"
INBOX = "/notifications/v1/inbox"
STATEMENTS = "/moderation/v1/statements"


def unlisted_cruel_text() -> str:
    """Return a new cruel text that matches no rule; copies of one text would open a case."""
    party = next(_PARTY_NUMBERS)
    return f"Élodie, personne ne t’a invitée à la fête numéro {party}, et c’est très bien ainsi."


async def read_open_case(platform: PlatformHarness, content: str) -> Json:
    """Read the open case of a content as Omar."""
    case = await platform.wait_for_case(content)
    return await platform.request_ok("omar", "GET", f"{CASES}/{case['case_id']}")


async def read_content(platform: PlatformHarness, user: str, content: str) -> Json:
    """Return a content as a user reads it."""
    items = (await platform.request_ok(user, "GET", f"{CONTENTS}/{content}"))["items"]
    return next(item for item in items if item["content_id"] == content)


async def post_decision(platform: PlatformHarness, case: Json, version: int, action: str) -> int:
    """Decide a case as Omar on a version; return the status of the response."""
    body = {"version": version, "action": action, "policy": "insult", "reason": "insult.direct"}
    path = f"{CASES}/{case['case_id']}/decision"
    return (await platform.request("omar", "POST", path, body)).status_code


async def wait_for_statement(platform: PlatformHarness, user: str, content: str) -> Json:
    """Wait for the statement about a content, and return it."""

    async def find_statement() -> Json | None:
        items = (await platform.request_ok(user, "GET", STATEMENTS))["items"]
        return next((item for item in items if item["content"]["content_id"] == content), None)

    return await platform.wait_until(find_statement)


async def list_notifications(platform: PlatformHarness, user: str, about: str) -> list[Json]:
    """Return the notifications of a user about a content."""
    items = (await platform.request_ok(user, "GET", INBOX))["items"]
    return [item for item in items if item["about"] == about]


async def list_appeals(platform: PlatformHarness, user: str, content: str) -> list[Json]:
    """Return the open appeals about a content that a user may decide."""
    items = (await platform.request_ok(user, "GET", "/moderation/v1/appeals"))["items"]
    return [item for item in items if item["content"]["content_id"] == content]
