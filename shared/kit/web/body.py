"""What no route has to check: size, encoding and NUL characters of a body."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.requests import Request

from shared.kit.errors import PreauError
from shared.kit.web.problems import Malformed, Problems, TooLarge

LIMIT = 1_000_000
"""Bytes, for routes that do not say otherwise."""
DEPTH = 32
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]


class BodyGuard:
    """ASGI middleware: reads a body once, refuses what cannot be right, hands it on."""

    def __init__(
        self,
        app: Callable[..., Awaitable[None]],
        problems: Problems,
        larger: MutableMapping[str, int],
    ) -> None:
        self._app, self._problems, self._larger = app, problems, larger

    async def __call__(
        self,
        scope: Scope,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Check a request with a body; let anything else pass."""
        if scope["type"] != "http" or scope["method"] not in {"POST", "PUT", "PATCH", "DELETE"}:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        inside = scope["path"].removeprefix(scope.get("root_path", ""))
        try:
            body = await _read(receive, self._larger.get(inside, LIMIT))
            if "json" in request.headers.get("content-type", "json"):
                _check(body)
        except PreauError as error:
            await self._problems.answer(request, error)(scope, receive, send)
            return
        given = False

        async def again() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, again, send)


async def _read(receive: Callable[[], Awaitable[Message]], limit: int) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > limit:
            raise TooLarge(limit=limit)
        if not message.get("more_body"):
            return bytes(body)


def _check(body: bytes) -> None:
    if not body:
        return
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise Malformed(detail=f"byte {error.start} is not UTF-8") from error
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        detail = f"line {error.lineno}, column {error.colno}: {error.msg}"
        raise Malformed(detail=detail) from error
    except RecursionError as error:
        raise Malformed(detail=f"deeper than {DEPTH} levels") from error
    _check_value(value, "", 0)


def _check_value(value: object, pointer: str, depth: int) -> None:
    if depth > DEPTH:
        raise Malformed(detail=f"{pointer} is deeper than {DEPTH} levels")
    if isinstance(value, str):
        if "\x00" in value:
            raise Malformed(detail=f"{pointer} holds a NUL character")
    elif isinstance(value, dict):
        for name, inner in value.items():
            _check_value(name, pointer, depth)
            _check_value(inner, f"{pointer}/{name}", depth + 1)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            _check_value(inner, f"{pointer}/{number}", depth + 1)
