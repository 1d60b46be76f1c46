"""Reads and checks request bodies for all routes: size, speed, and that the JSON can be stored."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.kit.core.errors import PreauError
from shared.kit.web.json_checks import parse_json
from shared.kit.web.problems import ProblemResponses, TooLarge, TooSlow
from shared.kit.web.route_table import ROUTE_KEY, access_of

MAX_BODY_BYTES, MAX_BODY_VALUES = 1_000_000, 5_000
"""Default maximum of bytes and JSON values of a body."""
MAX_ANONYMOUS_BODY_BYTES, MAX_ANONYMOUS_BODY_VALUES = 10_000, 100
"""Maximum of bytes and JSON values on routes that need no token."""
MAX_GATED_BODY_VALUES = 10_000
"""Maximum of JSON values on routes with a gate: twice that of an import chunk of 500 lines."""
GRACE_SECONDS, MIN_BYTES_PER_SECOND, MAX_BODY_SECONDS = 10.0, 10_000, 120.0
"""Time to send a body: the grace, plus its bytes at the minimum rate, up to the maximum."""
THREAD_THRESHOLD_BYTES = 64_000
"""A larger body is parsed in a thread, so that the event loop is not blocked."""
BODY_KEY, PARSED_KEY = "preau.body", "preau.json"
"""Keys of a request's scope: its body, and its parsed JSON (None when there is none)."""
BODY_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class ParsedRequest(Request):
    """A request whose JSON `BodyGuard` has parsed, so that FastAPI does not parse it again."""

    async def json(self) -> Any:
        """Return the parsed body."""
        return self.scope[PARSED_KEY] if PARSED_KEY in self.scope else await super().json()


class BodyGuard:
    """ASGI middleware inside `AccessGuard`: reads the body once and rejects an invalid one."""

    def __init__(self, app: ASGIApp, problems: ProblemResponses) -> None:
        self._app, self._problems = app, problems
        # One thread: the interpreter lock would make two of them take turns anyway.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="preau-body")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the body of a request that may have one; pass any other request on."""
        route: APIRoute | None = scope.get(ROUTE_KEY)
        if scope["type"] != "http" or route is None or scope["method"] not in BODY_METHODS:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        max_bytes, max_values = _limits(route)
        try:
            body = await _read_body(request, max_bytes)
            scope[PARSED_KEY] = None
            if "json" in request.headers.get("content-type", "json").lower():
                scope[PARSED_KEY] = await self._parse(body, max_values)
        except PreauError as error:
            await self._problems.for_error(request, error)(scope, receive, send)
            return
        scope[BODY_KEY] = body
        await self._app(scope, replay_body(body, receive), send)

    async def _parse(self, body: bytes, max_values: int) -> Any:
        if len(body) <= THREAD_THRESHOLD_BYTES:
            return parse_json(body, max_values)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, parse_json, body, max_values)


def _limits(route: APIRoute) -> tuple[int, int]:
    """Return the maximum of bytes and of values of a route's body."""
    if access_of(route) == "anonymous":
        return MAX_ANONYMOUS_BODY_BYTES, MAX_ANONYMOUS_BODY_VALUES
    gated = getattr(route, "gate", None) is not None
    max_values = MAX_GATED_BODY_VALUES if gated else MAX_BODY_VALUES
    return getattr(route, "max_body_bytes", None) or MAX_BODY_BYTES, max_values


def replay_body(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives a body that was already read, then the later messages."""
    replayed = False

    async def receive_again() -> Message:
        nonlocal replayed
        if replayed:
            return await receive()
        replayed = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again


async def _read_body(request: Request, max_bytes: int) -> bytes:
    """Read the whole body. Raises `TooLarge`, `TooSlow`; `ClientDisconnect` on a broken one."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > max_bytes:
        raise TooLarge(limit=max_bytes)
    parts: list[bytes] = []
    size, more = 0, True
    start = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout_at(start + GRACE_SECONDS) as deadline:
            while more:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                parts.append(message.get("body", b""))
                size, more = size + len(parts[-1]), message.get("more_body", False)
                if size > max_bytes:
                    raise TooLarge(limit=max_bytes)
                if more:
                    allowed_seconds = GRACE_SECONDS + size / MIN_BYTES_PER_SECOND
                    deadline.reschedule(start + min(allowed_seconds, MAX_BODY_SECONDS))
    except TimeoutError as error:
        raise TooSlow(bytes_per_second=MIN_BYTES_PER_SECOND) from error
    return parts[0] if len(parts) == 1 else b"".join(parts)
