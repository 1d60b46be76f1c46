"""What no route has to check of a body: its size, how fast it comes, that it can be stored."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect, Request

from shared.kit.core.errors import PreauError
from shared.kit.web.json_checks import parse_json
from shared.kit.web.problems import ProblemResponses, TooLarge, TooSlow
from shared.kit.web.route_table import ROUTE_KEY, access_of

MAX_BODY_BYTES, MAX_BODY_VALUES = 1_000_000, 5_000
"""Bytes and JSON values of a body, for routes that do not say otherwise."""
MAX_ANONYMOUS_BODY_BYTES, MAX_ANONYMOUS_BODY_VALUES = 10_000, 100
"""The same where no token is needed."""
MAX_GATED_BODY_VALUES = 10_000
"""JSON values where a gate has let the sender pass: a chunk of 500 lines has half of it."""
GRACE_SECONDS, MIN_BYTES_PER_SECOND, MAX_BODY_SECONDS = 10.0, 10_000, 120.0
"""A body may take the first, one second more for so many bytes, and never longer than the last."""
THREAD_THRESHOLD_BYTES = 64_000
"""A larger body is checked in a thread, so that the loop goes on between the steps."""
BODY_KEY, PARSED_KEY = "preau.body", "preau.json"
"""Where, in a request's scope, stand its body and the JSON value of it, None when it has none."""
BODY_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class ParsedRequest(Request):
    """A request whose JSON is what `BodyGuard` has parsed: FastAPI would parse it once more."""

    async def json(self) -> Any:
        """Return the body's value."""
        return self.scope[PARSED_KEY] if PARSED_KEY in self.scope else await super().json()


class BodyGuard:
    """ASGI middleware behind `AccessGuard`: reads a body once, refuses what cannot be right."""

    def __init__(self, app: Callable[..., Awaitable[None]], problems: ProblemResponses) -> None:
        self._app, self._problems = app, problems
        # One thread: two large bodies at once would only take turns.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="preau-body")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a request with a body; let anything else pass."""
        route: APIRoute | None = scope.get(ROUTE_KEY)
        if scope["type"] != "http" or route is None or scope["method"] not in BODY_METHODS:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        limit, values = _limits(route)
        try:
            body = await _read(request, limit)
            scope[PARSED_KEY] = None
            if "json" in request.headers.get("content-type", "json").lower():
                scope[PARSED_KEY] = await self._check(body, values)
        except PreauError as error:
            await self._problems.for_error(request, error)(scope, receive, send)
            return
        scope[BODY_KEY] = body
        await self._app(scope, replay_body(body, receive), send)

    async def _check(self, body: bytes, values: int) -> Any:
        if len(body) <= THREAD_THRESHOLD_BYTES:
            return parse_json(body, values)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, parse_json, body, values)


def _limits(route: APIRoute) -> tuple[int, int]:
    """Return the bytes and values that a route takes."""
    if access_of(route) == "anonymous":
        return MAX_ANONYMOUS_BODY_BYTES, MAX_ANONYMOUS_BODY_VALUES
    values = MAX_BODY_VALUES if getattr(route, "gate", None) is None else MAX_GATED_BODY_VALUES
    return getattr(route, "max_body_bytes", None) or MAX_BODY_BYTES, values


def replay_body(body: bytes, receive: Receive) -> Receive:
    """Return what gives a body that was read, and then what else is received."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _read(request: Request, limit: int) -> bytes:
    """Read the whole body. Raises `TooLarge`, `TooSlow`, or `ClientDisconnect` when it breaks."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > limit:
        raise TooLarge(limit=limit)
    parts: list[bytes] = []
    size, more = 0, True
    begin = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout_at(begin + GRACE_SECONDS) as deadline:
            while more:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                parts.append(message.get("body", b""))
                size, more = size + len(parts[-1]), message.get("more_body", False)
                if size > limit:
                    raise TooLarge(limit=limit)
                if more:
                    earned = GRACE_SECONDS + size / MIN_BYTES_PER_SECOND
                    deadline.reschedule(begin + min(earned, MAX_BODY_SECONDS))
    except TimeoutError as error:
        raise TooSlow(bytes_per_second=MIN_BYTES_PER_SECOND) from error
    return parts[0] if len(parts) == 1 else b"".join(parts)
