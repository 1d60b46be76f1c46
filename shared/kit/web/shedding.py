"""Load shedding: rejects changes early, at no cost, instead of letting all requests time out.

Rejected are requests that change something for a member: POST, PUT, PATCH and DELETE. The outbox
and the connection pool never cause a rejection of reads, of routes without a token (signing in),
of operators' routes, or of paths outside `/v1` such as health and metrics.
"""

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.kit.core.host import Telemetry
from shared.kit.database.overload import LoadLimits, LoadMonitor, Overloaded, overload_error
from shared.kit.web.idempotency import IdempotentRoute
from shared.kit.web.problems import ProblemResponses
from shared.kit.web.route_table import RouteTable, access_of, path_in_app

WRITE_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
API_PREFIX, OPERATING_PREFIX = "/v1/", "/v1/operating/"
NEEDS_PERMIT_KEY = "preau.needs_permit"
"""Key of a request's scope: True when `WriteConcurrencyLimit` applies to it."""
_BATCHED_KEY = "preau.batched"


class RejectionResponder:
    """Responds to rejected requests and counts them by reason."""

    def __init__(self, problems: ProblemResponses, telemetry: Telemetry) -> None:
        self._problems, self._telemetry = problems, telemetry

    async def respond(self, error: Overloaded, scope: Scope, receive: Receive, send: Send) -> None:
        """Send a 503 problem document with its reason and `Retry-After`."""
        self._telemetry.count("preau.http.shed", reason=str(error.facts["reason"]))
        await self._problems.for_error(Request(scope), error)(scope, receive, send)


class LoadShedder:
    """ASGI middleware outside `AccessGuard`: reads numbers in memory only and never waits.

    It also finds the route; the middleware inside it reads the route from the scope.
    """

    def __init__(
        self,
        app: ASGIApp,
        load_monitor: LoadMonitor,
        rejections: RejectionResponder,
        table: RouteTable,
    ) -> None:
        self._app, self._load_monitor, self._rejections = app, load_monitor, rejections
        self._table = table

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or reject a change while the service is overloaded."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        route = self._table.find(scope)
        if route is not None and _adds_work(scope, route):
            batched = isinstance(route, IdempotentRoute) and route.batched
            scope[NEEDS_PERMIT_KEY], scope[_BATCHED_KEY] = not batched, batched
            reason = self._load_monitor.rejection_reason()
            if reason is not None:
                await self._rejections.respond(overload_error(reason), scope, receive, send)
                return
        await self._app(scope, receive, send)


def _adds_work(scope: Scope, route: APIRoute) -> bool:
    path = path_in_app(scope)
    in_api = path.startswith(API_PREFIX) and not path.startswith(OPERATING_PREFIX)
    return in_api and scope["method"] in WRITE_METHODS and access_of(route) != "anonymous"


class RequestConcurrencyLimit:
    """ASGI middleware inside `BodyGuard`: limits the concurrent requests of the API.

    A request counts from the end of its body to the start of its response, so that clients that
    send or read slowly do not use up the limit; unauthorised requests never count.
    """

    def __init__(self, app: ASGIApp, limits: LoadLimits, rejections: RejectionResponder) -> None:
        self._app, self._limits, self._rejections = app, limits, rejections
        self._requests = self._batched_requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count a request until its response starts, or reject it."""
        path = path_in_app(scope)
        if not path.startswith(API_PREFIX) or path.startswith(OPERATING_PREFIX):
            await self._app(scope, receive, send)
            return
        batched: bool = scope.get(_BATCHED_KEY, False)
        reason = self._rejection_reason(batched=batched)
        if reason is not None:
            await self._rejections.respond(overload_error(reason), scope, receive, send)
            return
        self._requests += 1
        self._batched_requests += batched
        counted = True

        def release() -> None:
            nonlocal counted
            if counted:
                counted = False
                self._requests -= 1
                self._batched_requests -= batched

        async def send_and_release(message: Message) -> None:
            release()
            await send(message)

        try:
            await self._app(scope, receive, send_and_release)
        finally:
            release()

    def _rejection_reason(self, *, batched: bool) -> str | None:
        """Return which limit is reached, or None.

        Requests of batched routes wait in no queue of `WriteConcurrencyLimit`, so the maximum
        length of that queue limits their number here.
        """
        if self._requests >= self._limits.max_concurrent_requests:
            return "requests_at_once"
        too_many = batched and self._batched_requests > self._limits.max_queue
        return "queue_full" if too_many else None
