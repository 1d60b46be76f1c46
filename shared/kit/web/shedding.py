"""Refusing work at the edge, before it costs anything, rather than letting all of it time out.

Refused is what changes something for a member: POST, PUT, PATCH and DELETE. Never refused for the
outbox's or the pool's sake: reads, signing in (what needs no token), operating; and nothing that
stands outside of `/v1`, such as health and metrics.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import Request

from shared.kit.core.host import Telemetry
from shared.kit.database.overload import LoadLimits, LoadMonitor, Overloaded, overload_error
from shared.kit.web.idempotency import IdempotentRoute
from shared.kit.web.problems import ProblemResponses
from shared.kit.web.route_table import RouteTable, access_of, path_in_app

WRITE_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
API_PREFIX, OPERATING_PREFIX = "/v1/", "/v1/operating/"
NEEDS_PERMIT_KEY = "preau.takes_turn"
"""Key of a request's scope: it waits for a turn (`web.write_concurrency`)."""
_LIGHT = "preau.is_light"
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class RejectionResponder:
    """Answers for what is refused, and counts it."""

    def __init__(self, problems: ProblemResponses, telemetry: Telemetry) -> None:
        self._problems, self._telemetry = problems, telemetry

    async def respond(self, error: Overloaded, scope: Scope, receive: Receive, send: Send) -> None:
        """Say 503, why, and when to come back."""
        self._telemetry.count("preau.http.shed", reason=str(error.facts["reason"]))
        await self._problems.for_error(Request(scope), error)(scope, receive, send)


class LoadShedder:
    """ASGI middleware before token and body: looks at numbers in memory, waits for nothing.

    It looks up the route: all that stands behind it reads that from the scope.
    """

    def __init__(
        self, app: App, pressure: LoadMonitor, refusals: RejectionResponder, table: RouteTable
    ) -> None:
        self._app, self._pressure, self._refusals = app, pressure, refusals
        self._table = table

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or refuse a change while the service is behind."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        route = self._table.find(scope)
        if route is not None and _adds_work(scope, route):
            light = isinstance(route, IdempotentRoute) and route.batched
            scope[NEEDS_PERMIT_KEY], scope[_LIGHT] = not light, light
            reason = self._pressure.rejection_reason()
            if reason is not None:
                await self._refusals.respond(overload_error(reason), scope, receive, send)
                return
        await self._app(scope, receive, send)


def _adds_work(scope: Scope, route: APIRoute) -> bool:
    path = path_in_app(scope)
    inside = path.startswith(API_PREFIX) and not path.startswith(OPERATING_PREFIX)
    return inside and scope["method"] in WRITE_METHODS and access_of(route) != "anonymous"


class RequestConcurrencyLimit:
    """ASGI middleware behind token and body: so many requests of the API at once.

    A sender who is slow, or whom nobody knows, takes no place. A place is free again when the
    answer begins: a client who reads slowly keeps nobody out.
    """

    def __init__(self, app: App, limits: LoadLimits, refusals: RejectionResponder) -> None:
        self._app, self._limits, self._refusals = app, limits, refusals
        self._inside = self._lights = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a place for as long as the request is in hand, or refuse it."""
        path = path_in_app(scope)
        if not path.startswith(API_PREFIX) or path.startswith(OPERATING_PREFIX):
            await self._app(scope, receive, send)
            return
        light: bool = scope.get(_LIGHT, False)
        reason = self._too_many(light=light)
        if reason is not None:
            await self._refusals.respond(overload_error(reason), scope, receive, send)
            return
        self._inside += 1
        self._lights += light
        taken = True

        def leave() -> None:
            nonlocal taken
            if taken:
                taken = False
                self._inside -= 1
                self._lights -= light

        async def answering(message: MutableMapping[str, Any]) -> None:
            leave()
            await send(message)

        try:
            await self._app(scope, receive, answering)
        finally:
            leave()

    def _too_many(self, *, light: bool) -> str | None:
        """Say of which there are as many as may be.

        Light ones take no turn: where they queue, they have cost nearly all that they cost.
        """
        if self._inside >= self._limits.max_concurrent_requests:
            return "requests_at_once"
        return "queue_full" if light and self._lights > self._limits.max_queue else None
