"""Invalid input that every service refuses, and the problem it returns."""

import httpx
import pytest

from shared.kit.web.problems import MEDIA_TYPE
from tests.support.platform_harness import PlatformHarness

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="session")]


def _assert_problem(response: httpx.Response, status: int) -> str:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == MEDIA_TYPE
    return response.text


async def test_two_posts_with_one_idempotency_key_create_one_post(
    platform: PlatformHarness,
) -> None:
    space = await platform.open_space("zoe")
    path = f"/community/v1/spaces/{space}/posts"
    body = {"title": "Une fois 🎯", "body": "Et pas deux."}
    first_response = await platform.request("zoe", "POST", path, body, idempotency_key="cle-1")
    second_response = await platform.request("zoe", "POST", path, body, idempotency_key="cle-1")
    assert (first_response.status_code, second_response.status_code) == (201, 201)
    assert first_response.json() == second_response.json()
    conflict = await platform.request(
        "zoe", "POST", path, body | {"body": "!"}, idempotency_key="cle-1"
    )
    assert "idempotency_conflict" in _assert_problem(conflict, 409)
    posts = (await platform.request_ok("zoe", "GET", path))["items"]
    assert [post["content_id"] for post in posts] == [first_response.json()["content_id"]]


async def test_scripts_are_removed_from_rendered_html(platform: PlatformHarness) -> None:
    space = await platform.open_space("zoe")
    body = (
        "**Gras** <script>alert(1)</script> <img src=x onerror=alert(2)> "
        "[clic](javascript:alert(3)) <b onclick='alert(4)'>é</b> <svg/onload=alert(5)>"
    )
    post = await platform.publish_post("zoe", space, body)
    (content,) = (await platform.request_ok("zoe", "GET", f"/community/v1/contents/{post}"))[
        "items"
    ]
    html = content["html"].lower()
    assert "<strong>gras</strong>" in html
    assert content["body"] == body, "the stored text is unchanged"
    for danger in ("<script", "<img", "<svg", 'href="javascript', "<b onclick"):
        assert danger not in html


@pytest.mark.parametrize(
    ("body", "status", "expected"),
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
async def test_invalid_body_is_refused(
    platform: PlatformHarness, body: bytes, status: int, expected: str
) -> None:
    space = await _shared_space(platform)
    path = f"/community/v1/spaces/{space}/posts"
    headers = {
        "authorization": f"Bearer {platform.tokens['zoe']}",
        "content-type": "application/json",
    }
    response = await platform.http.post(path, content=body, headers=headers)
    assert expected in _assert_problem(response, status)
    assert not (await platform.request_ok("zoe", "GET", path))["items"], "no post is stored"


async def _shared_space(platform: PlatformHarness) -> str:
    if "bad_input" not in platform.tokens:
        platform.tokens["bad_input"] = await platform.open_space("zoe")
    return platform.tokens["bad_input"]


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
async def test_invalid_path_or_query_is_refused(
    platform: PlatformHarness, path: str, status: int
) -> None:
    _assert_problem(await platform.request("zoe", "GET", path), status)


async def test_problems_are_written_in_the_accepted_language(platform: PlatformHarness) -> None:
    path = "/community/v1/contents/00000000-0000-7000-8000-000000000000"
    titles = {
        language: (await platform.request("zoe", "GET", path, accept_language=language)).json()[
            "title"
        ]
        for language in ("fr", "en")
    }
    assert titles["fr"] != titles["en"]


async def test_answers_and_comments_need_an_allowed_parent(platform: PlatformHarness) -> None:
    space = await platform.open_space("zoe")
    post = await platform.publish_post("zoe", space, "Une discussion, sans question.")
    path = f"/community/v1/contents/{post}"
    response = await platform.request("zoe", "POST", f"{path}/answers", {"body": "Réponse"})
    assert "wrong_parent" in _assert_problem(response, 422)
    comment = await platform.publish_reply("zoe", post, "Un commentaire")
    nested = f"/community/v1/contents/{comment}/comments"
    assert "wrong_parent" in _assert_problem(
        await platform.request("zoe", "POST", nested, {"body": "?"}), 422
    )
    accepted = await platform.request("zoe", "POST", f"/community/v1/contents/{comment}/accept")
    assert "wrong_parent" in _assert_problem(accepted, 422)
