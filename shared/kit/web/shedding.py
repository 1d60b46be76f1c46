"""Refusing work at the edge, before it costs anything, rather than letting all of it time out.

Refused is what changes something for a member: POST, PUT, PATCH and DELETE. Never refused for the
outbox's or the pool's sake: reads, signing in (what needs no token), operating; and nothing that
stands outside of `/v1`, such as health and metrics.
"""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from re import Pattern
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.routing import BaseRoute, compile_path

from shared.kit.host import Telemetry
from shared.kit.pressure import Overloaded, Pressure, overloaded
from shared.kit.web.idempotency import ACCESS, IdempotentRoute
from shared.kit.web.problems import Problems

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
API, OPERATING = "/v1/", "/v1/operating/"
TURN = "preau.takes_turn"
"""Where, in a request's scope, stands that it waits for a turn (`shared.kit.web.turns`)."""
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def anonymous_paths(routes: Iterable[BaseRoute]) -> tuple[Pattern[str], ...]:
    """List the paths of the routes that need no token."""
    return tuple(
        compile_path(route.path)[0]
        for route in routes
        if isinstance(route, APIRoute) and (route.openapi_extra or {}).get(ACCESS) == "anonymous"
    )


def light_paths(routes: Iterable[BaseRoute]) -> tuple[Pattern[str], ...]:
    """List the paths of the POST routes whose commands hold no connection."""
    return tuple(
        compile_path(route.path)[0]
        for route in routes
        if isinstance(route, IdempotentRoute) and route.light
    )


class Refusals:
    """Answers for what is refused, and counts it."""

    def __init__(self, problems: Problems, telemetry: Telemetry) -> None:
        self._problems, self._telemetry = problems, telemetry

    async def answer(self, error: Overloaded, scope: Scope, receive: Receive, send: Send) -> None:
        """Say 503, why, and when to come back."""
        self._telemetry.count("preau.http.shed", reason=str(error.facts["reason"]))
        await self._problems.answer(Request(scope), error)(scope, receive, send)


class Shedding:
    """ASGI middleware before the body is read: looks at numbers in memory, waits for nothing."""

    def __init__(
        self,
        app: App,
        pressure: Pressure,
        refusals: Refusals,
        spared: tuple[Pattern[str], ...],
        light: tuple[Pattern[str], ...] = (),
    ) -> None:
        self._app, self._pressure, self._refusals = app, pressure, refusals
        self._spared, self._light = spared, light
        self._inside = self._lights = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request of the API in, or refuse it."""
        path = _inside(scope)
        if not path.startswith(API) or path.startswith(OPERATING):
            await self._app(scope, receive, send)
            return
        adds_work = scope["method"] in WRITES and not any(p.match(path) for p in self._spared)
        light = adds_work and self._is_light(scope, path)
        reason = self._pressure.refuses() if adds_work else None
        reason = self._too_many(light=light) or reason
        if reason is not None:
            await self._refusals.answer(overloaded(reason), scope, receive, send)
            return
        scope[TURN] = adds_work and not light
        self._inside += 1
        self._lights += light
        try:
            await self._app(scope, receive, send)
        finally:
            self._inside -= 1
            self._lights -= light

    def _too_many(self, *, light: bool) -> str | None:
        """Say of which there are as many as may be.

        Light ones take no turn: where they queue, they have cost nearly all that they cost.
        """
        if self._inside >= self._pressure.limits.requests:
            return "requests_at_once"
        return "queue_full" if light and self._lights > self._pressure.limits.waiting else None

    def _is_light(self, scope: Scope, path: str) -> bool:
        return scope["method"] == "POST" and any(p.match(path) for p in self._light)


def _inside(scope: Scope) -> str:
    if scope["type"] != "http":
        return ""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))
