"""What no route has to check: size, encoding and depth of a body, characters nobody can store."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.routing import compile_path

from shared.kit.errors import PreauError
from shared.kit.web.problems import Malformed, Problems, TooLarge, TooSlow

LIMIT = 1_000_000
"""Bytes, for routes that do not say otherwise."""
DEPTH = 32
LONGEST_NUMBER = 40
SILENCE = 10.0
"""Seconds between two parts of a body: who sends none keeps a place from others."""
BODY, PARSED = "preau.body", "preau.json"
"""Where, in a request's scope, stand its body and the JSON value of it, None when it has none."""
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]


class BodyGuard:
    """ASGI middleware: reads a body once, refuses what cannot be right, hands it on."""

    def __init__(
        self,
        app: Callable[..., Awaitable[None]],
        problems: Problems,
        larger: Mapping[str, int],
    ) -> None:
        """Take the limit of each path, as routes write it, that takes more than `LIMIT`."""
        self._app, self._problems = app, problems
        self._larger = [(compile_path(path)[0], limit) for path, limit in larger.items()]

    async def __call__(
        self,
        scope: Scope,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Check a request with a body; let anything else pass."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            _check_address(scope)
            if scope["method"] not in {"POST", "PUT", "PATCH", "DELETE"}:
                await self._app(scope, receive, send)
                return
            body = await _read(request, self._limit(scope))
            scope[PARSED] = None
            if "json" in request.headers.get("content-type", "json").lower():
                scope[PARSED] = check_json(body)
        except PreauError as error:
            await self._problems.answer(request, error)(scope, receive, send)
            return
        scope[BODY] = body
        await self._app(scope, given_again(body, receive), send)

    def _limit(self, scope: Scope) -> int:
        inside = scope["path"].removeprefix(scope.get("root_path", ""))
        return next((limit for path, limit in self._larger if path.match(inside)), LIMIT)


def given_again(body: bytes, receive: Receive) -> Receive:
    """Give what gives a body that was read, and then what else is received."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _check_address(scope: Scope) -> None:
    path: str = scope["path"]
    if "\x00" in path or "%00" in path or b"%00" in scope["query_string"]:
        raise Malformed(detail="the address holds a NUL character")


async def _read(request: Request, limit: int) -> bytes:
    """Read the whole body. Raises `TooLarge`, `TooSlow`, or `ClientDisconnect` when it breaks."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise TooLarge(limit=limit)
    parts: list[bytes] = []
    size, more = 0, True
    try:
        async with asyncio.timeout(SILENCE) as silence:
            while more:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                parts.append(message.get("body", b""))
                size, more = size + len(parts[-1]), message.get("more_body", False)
                if size > limit:
                    raise TooLarge(limit=limit)
                if more:
                    silence.reschedule(asyncio.get_running_loop().time() + SILENCE)
    except TimeoutError as error:
        raise TooSlow(seconds=SILENCE) from error
    return parts[0] if len(parts) == 1 else b"".join(parts)


def check_json(body: bytes) -> Any:
    """Refuse what is not JSON that can be stored. Raises `Malformed`, saying where it fails.

    Gives its value; None when there is none.
    """
    if not body:
        return None
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise Malformed(detail=f"line {line}, byte {error.start}: not UTF-8") from error
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_int=_whole)
    except json.JSONDecodeError as error:
        detail = f"line {error.lineno}, column {error.colno}: {error.msg}"
        raise Malformed(detail=detail) from error
    except RecursionError as error:
        raise Malformed(detail=f"deeper than {DEPTH} levels") from error
    _check_value(value, "", 0)
    return value


def _refuse_constant(name: str) -> None:
    raise Malformed(detail=f"{name} is no JSON")


def _whole(digits: str) -> int:
    # Python reads integers of any length in quadratic time, and JSON elsewhere in 64 bits.
    if len(digits) > LONGEST_NUMBER:
        raise Malformed(detail=f"a number of more than {LONGEST_NUMBER} digits")
    return int(digits)


def _check_value(value: object, pointer: str, depth: int) -> None:
    if depth > DEPTH:
        raise Malformed(detail=f"{pointer} is deeper than {DEPTH} levels")
    if isinstance(value, str):
        _check_text(value, pointer or "/")
    elif isinstance(value, dict):
        for name, inner in value.items():
            _check_text(name, pointer or "/")
            _check_value(inner, f"{pointer}/{name}", depth + 1)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            _check_value(inner, f"{pointer}/{number}", depth + 1)


def _check_text(text: str, pointer: str) -> None:
    if "\x00" in text:
        raise Malformed(detail=f"{pointer} holds a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        # `"\\ud800"` is JSON, but half of a character: no encoder and no database takes it.
        raise Malformed(detail=f"{pointer} holds half of a character") from error
