"""Invalid bodies never reach a handler, and the response says where they are wrong."""

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from typing import Any

import pytest

from shared.kit.web import body as body_module
from tests.support.sample_app import SampleApp

BAD = {
    b'{"text": "a\\u0000b"}': "/text holds a NUL character",
    b'{"text": "a", "tags": ["b", "c\\u0000"]}': "/tags/1 holds a NUL character",
    b'{"a\\u0000": 1}': "/ holds a NUL character",
    b'"\\u0000"': "/ holds a NUL character",
    b'{"text": "\\ud83d"}': "/text holds half of a character",
    b'{"text":\n "\xe9"}': "line 2, byte 11: not UTF-8",
    b'{"text":\n oops}': "line 2, column 2: Expecting value",
    b'{"text": NaN}': "NaN is no JSON",
    b'{"text": -Infinity}': "-Infinity is no JSON",
    b'{"text": ' + b"9" * 5_000 + b"}": "a number of more than 40 digits",
    b'{"more": ' + b"[" * 33 + b"]" * 33 + b"}": "levels",
    b"[" * 100_000: "deeper than 32 levels",
    "{}".encode("utf-16"): "not UTF-8",
}


@pytest.mark.parametrize(("body", "detail"), BAD.items(), ids=list(BAD.values()))
@pytest.mark.parametrize("media", ["application/json", "Application/JSON", "application/x+json"])
async def test_body_that_cannot_be_stored_is_rejected(body: bytes, detail: str, media: str) -> None:
    app = SampleApp()
    response = await app.send(body, **{"Content-Type": media})
    assert (response.status_code, response.json()["type"]) == (400, "/notes/problems/malformed")
    assert detail in response.json()["detail"]
    assert not app.callers


async def test_body_with_accents_and_emoji_is_accepted() -> None:
    response = await SampleApp().post({"text": "Noël à la récré 🎄", "more": {"a": [[[1.5]]]}})
    assert (response.status_code, response.json()["text"]) == (201, "Noël à la récré 🎄")


async def test_body_over_the_limit_is_rejected_before_it_is_read() -> None:
    response = await SampleApp().send(b" " * 1_000_001)
    assert (response.status_code, response.json()["limit"]) == (413, 1_000_000)


async def test_body_of_unknown_size_is_read_up_to_the_limit() -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b"x" * 100_000

    async with SampleApp().client() as client:
        response = await client.post("/v1/notes", content=endless())
    assert response.status_code == 413
    assert sent <= 12


async def test_route_may_accept_a_larger_body_up_to_its_limit() -> None:
    path, app = "/v1/shelves/été/import", SampleApp()
    taken = await app.send(b'{"a": "' + b"x" * 2_000_000 + b'"}', path)
    refused = await app.send(b'{"a": "' + b"x" * 3_000_000 + b'"}', path)
    assert (taken.status_code, taken.json()) == (200, {"fields": 1})
    assert (refused.status_code, refused.json()["limit"]) == (413, 3_000_000)


@pytest.mark.parametrize("path", ["/v1/notes/%00", "/v1/notes/1?limit=%00"])
async def test_url_with_nul_character_is_rejected(path: str) -> None:
    async with SampleApp().client() as client:
        response = await client.get(path)
    assert (response.status_code, response.json()["detail"]) == (
        400,
        "the address holds a NUL character",
    )


async def test_client_that_disconnects_during_the_body_changes_nothing() -> None:
    app = SampleApp()
    half = [{"type": "http.request", "body": b'{"text": "a"}', "more_body": True}]
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        await asyncio.sleep(0)
        return half.pop() if half else {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    headers = [(b"authorization", b"Bearer zoe"), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/v1/notes", "raw_path": b"/v1/notes"}
    scope |= {"query_string": b"", "headers": headers, "server": ("test", 80), "scheme": "http"}
    await app.app(scope, receive, send)
    assert (app.callers, sent) == ([], [])


async def test_slow_body_is_rejected_and_steady_body_is_accepted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(body_module, "GRACE_SECONDS", 0.3)
    app = SampleApp()

    async def parts(pause: float) -> AsyncIterator[bytes]:
        for part in (b'{"te', b'xt": ', b'"a', b'"}'):
            yield part
            await asyncio.sleep(pause)

    async with app.client() as client:
        headers = {"Content-Type": "application/json"}
        steady = await client.post("/v1/notes", content=parts(0.01), headers=headers)
        # Short pauses, but the whole takes longer than its bytes allow.
        trickling = await client.post("/v1/notes", content=parts(0.2), headers=headers)
        silent = await client.post("/v1/notes", content=parts(5), headers=headers)

    assert steady.status_code == 201
    for slow in (trickling, silent):
        assert (slow.status_code, slow.json()["type"]) == (408, "/notes/problems/too_slow")
    assert len(app.callers) == 1


async def test_time_for_a_body_grows_with_its_bytes_up_to_the_maximum(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(body_module, "GRACE_SECONDS", 0.1)
    monkeypatch.setattr(body_module, "MIN_BYTES_PER_SECOND", 10)
    monkeypatch.setattr(body_module, "MAX_BODY_SECONDS", 0.5)
    app = SampleApp()

    async def parts(number: int) -> AsyncIterator[bytes]:
        yield b'{"text": "a"'
        for _ in range(number):
            await asyncio.sleep(0.15)
            yield b"  "
        yield b"}"

    async with app.client() as client:
        headers = {"Content-Type": "application/json"}
        earned = await client.post("/v1/notes", content=parts(2), headers=headers)
        endless = await client.post("/v1/notes", content=parts(20), headers=headers)

    assert (earned.status_code, endless.status_code) == (201, 408)


async def test_body_without_a_media_type_is_not_parsed_as_json() -> None:
    async with SampleApp().client() as client:
        response = await client.post("/v1/notes", content=b'{"text": "a"}')
    assert response.status_code == 422
