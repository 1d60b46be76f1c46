"""What no service takes, and what it says instead."""

import httpx
import pytest

from shared.kit.web.problems import MEDIA_TYPE
from tests.support.platform_harness import PlatformHarness

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="session")]


def _problem(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == MEDIA_TYPE
    return answer.text


async def test_an_idempotency_key_makes_one_post_of_two(world: PlatformHarness) -> None:
    space = await world.open_space("zoe")
    path = f"/community/v1/spaces/{space}/posts"
    new = {"title": "Une fois 🎯", "body": "Et pas deux."}
    one = await world.request("zoe", "POST", path, new, idempotency_key="cle-1")
    two = await world.request("zoe", "POST", path, new, idempotency_key="cle-1")
    assert (one.status_code, two.status_code) == (201, 201)
    assert one.json() == two.json()
    other = await world.request("zoe", "POST", path, new | {"body": "!"}, idempotency_key="cle-1")
    assert "idempotency_conflict" in _problem(other, 409)
    posts = (await world.request_ok("zoe", "GET", path))["items"]
    assert [each["content_id"] for each in posts] == [one.json()["content_id"]]


async def test_scripts_are_cleaned_out_of_what_is_shown(world: PlatformHarness) -> None:
    space = await world.open_space("zoe")
    body = (
        "**Gras** <script>alert(1)</script> <img src=x onerror=alert(2)> "
        "[clic](javascript:alert(3)) <b onclick='alert(4)'>é</b> <svg/onload=alert(5)>"
    )
    post = await world.publish_post("zoe", space, body)
    (shown,) = (await world.request_ok("zoe", "GET", f"/community/v1/contents/{post}"))["items"]
    html = shown["html"].lower()
    assert "<strong>gras</strong>" in html
    assert shown["body"] == body, "the text itself stays as it was written"
    for danger in ("<script", "<img", "<svg", 'href="javascript', "<b onclick"):
        assert danger not in html


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b'{"title": "A", "body": "b", "surprise": 1}', 422, "/surprise"),
        (b'{"title": "A"}', 422, "/body"),
        (b'{"title": "", "body": "b"}', 422, "/title"),
        (b'{"title": "A", "body": "b\\u0000"}', 400, "NUL"),
        (b'{"title": "A",\n"body": "\xff"}', 400, "line 2"),
        (b'{"title": "A", "body": "\\ud800"}', 400, "half of a character"),
        (b'{"title": "A",\n\n "body" }', 400, "line 3"),
        (b'{"title": "A", "body": NaN}', 400, "NaN"),
        (b'{"title": "A", "body": "' + b"a" * 60_001 + b'"}', 422, "/body"),
        (b'{"title": "A", "body": "' + b"a" * 10_000_000 + b'"}', 413, "too_large"),
        (b'{"kind": "answer", "title": "A", "body": "b"}', 422, "/kind"),
        (b"", 422, "errors"),
    ],
)
async def test_a_body_that_cannot_be_right_is_refused(
    world: PlatformHarness, body: bytes, status: int, said: str
) -> None:
    space = await _room(world)
    path = f"/community/v1/spaces/{space}/posts"
    sent = {"authorization": f"Bearer {world.tokens['zoe']}", "content-type": "application/json"}
    answer = await world.http.post(path, content=body, headers=sent)
    assert said in _problem(answer, status)
    assert not (await world.request_ok("zoe", "GET", path))["items"], "nothing half-done"


async def _room(world: PlatformHarness) -> str:
    if "bad_input" not in world.tokens:
        world.tokens["bad_input"] = await world.open_space("zoe")
    return world.tokens["bad_input"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/community/v1/contents/not-an-id", 422),
        ("/community/v1/contents/00000000-0000-7000-8000-000000000000", 404),
        ("/community/v1/nowhere", 404),
        ("/community/v1/spaces?name=%00", 400),
        ("/notifications/v1/inbox?limit=101", 422),
        ("/notifications/v1/inbox?limit=0", 422),
        ("/notifications/v1/inbox?cursor=%C3%A9", 422),
        ("/notifications/v1/inbox?cursor=WzFd", 422),
        ("/metrics/v1/kpis?from=2026-02-30&to=2026-03-01", 422),
        ("/metrics/v1/kpis?from=2026-01-01&to=2026-03-01", 422),
    ],
)
async def test_an_address_that_cannot_be_right_is_refused(
    world: PlatformHarness, path: str, status: int
) -> None:
    _problem(await world.request("zoe", "GET", path), status)


async def test_problems_speak_the_readers_language(world: PlatformHarness) -> None:
    path = "/community/v1/contents/00000000-0000-7000-8000-000000000000"
    told = {
        language: (await world.request("zoe", "GET", path, accept_language=language)).json()[
            "title"
        ]
        for language in ("fr", "en")
    }
    assert told["fr"] != told["en"]


async def test_answers_and_comments_stand_where_they_belong(world: PlatformHarness) -> None:
    space = await world.open_space("zoe")
    post = await world.publish_post("zoe", space, "Une discussion, sans question.")
    path = f"/community/v1/contents/{post}"
    answer = await world.request("zoe", "POST", f"{path}/answers", {"body": "Réponse"})
    assert "wrong_parent" in _problem(answer, 422)
    comment = await world.publish_reply("zoe", post, "Un commentaire")
    nested = f"/community/v1/contents/{comment}/comments"
    assert "wrong_parent" in _problem(
        await world.request("zoe", "POST", nested, {"body": "?"}), 422
    )
    accepted = await world.request("zoe", "POST", f"/community/v1/contents/{comment}/accept")
    assert "wrong_parent" in _problem(accepted, 422)
