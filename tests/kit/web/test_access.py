"""Access is checked before the body: a rejected request's body is not read."""

from collections.abc import MutableMapping
from typing import Any

import pytest

from shared.kit.web.body import MAX_ANONYMOUS_BODY_BYTES
from shared.kit.web.routes import Routes
from tests.support.sample_app import SampleApp, is_member

NOTES, IMPORT, SIGN_IN = "/v1/notes", "/v1/shelves/1/import", "/v1/sign-in"
LARGE = 500_000


async def send_head(app: SampleApp, path: str, token: str = "", length: int = LARGE) -> int:
    """Send a head only and return the status; fail if the body is read."""
    statuses: list[int] = []

    async def receive() -> MutableMapping[str, Any]:
        raise AssertionError("the body is read")

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % length)]
    if token:
        headers.append((b"authorization", f"Bearer {token}".encode()))
    scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode()}
    scope |= {"query_string": b"", "headers": headers, "server": ("test", 80), "scheme": "http"}
    await app.app(scope, receive, send)
    return statuses[0]


@pytest.mark.parametrize("path", [NOTES, IMPORT])
@pytest.mark.parametrize("token", ["", "forged"])
async def test_body_without_valid_token_is_not_read(path: str, token: str) -> None:
    app = SampleApp()
    assert await send_head(app, path, token) == 401
    assert app.rights.lookups == 0, "the token alone decides: no database"


@pytest.mark.parametrize(("path", "status"), [("/v1/nowhere", 404), ("/v1/notes/1", 405)])
async def test_body_of_unknown_route_is_not_read(path: str, status: int) -> None:
    assert await send_head(SampleApp(), path) == status


async def test_gate_is_evaluated_before_the_body() -> None:
    assert await send_head(SampleApp(), IMPORT, "hamid") == 403


@pytest.mark.parametrize(("path", "length"), [(IMPORT, 10), (NOTES, LARGE)])
async def test_large_body_of_suspended_member_is_not_read(path: str, length: int) -> None:
    app = SampleApp()
    app.rights.suspended = True
    assert await send_head(app, path, "zoe", length) == 403


async def test_rights_are_read_again_after_a_large_body() -> None:
    app = SampleApp()
    response = await app.post({"text": "a" * 50, "more": {"a": "b" * 100_000}})
    assert (response.status_code, app.rights.lookups) == (201, 2)


async def test_anonymous_body_has_a_small_limit() -> None:
    app = SampleApp()
    assert await send_head(app, SIGN_IN, length=MAX_ANONYMOUS_BODY_BYTES + 1) == 413
    many = await app.post({"text": "a", "tags": [""] * 200}, SIGN_IN)
    assert (many.status_code, many.json()["type"]) == (413, "/notes/problems/too_many_values")
    assert (await app.post({"text": "a"}, SIGN_IN)).status_code == 200


def test_large_route_without_a_gate_cannot_be_declared() -> None:
    routes = Routes("notes")
    with pytest.raises(ValueError, match="needs a gate"):
        routes.post("/large", action="note.import", max_body_bytes=1_000_001)
    with pytest.raises(ValueError, match="without a token"):
        routes.post("/large", action="n", max_body_bytes=10_001, access="anonymous", gate=is_member)


async def test_trailing_slash_is_not_redirected() -> None:
    async with SampleApp().client() as client:
        response = await client.post(
            f"{NOTES}/", json={"text": "a"}, headers={"Host": "evil.example"}
        )
    assert (response.status_code, "location" in response.headers) == (404, False)


async def test_response_lists_first_errors_and_their_total() -> None:
    app = SampleApp()
    unknown = {f"{'é' * 120}{number}": 1 for number in range(1_000)}
    response = await app.post({"text": "a"} | unknown)
    problem = response.json()
    assert (response.status_code, len(problem["errors"]), problem["errors_total"]) == (
        422,
        50,
        1_000,
    )
    assert len(response.content) < 64_000
