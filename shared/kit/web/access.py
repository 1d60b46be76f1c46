"""Checks the access token before the body: an unauthorised request costs no byte of its body."""

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.kit.core.errors import PreauError
from shared.kit.core.policy import require_allowed
from shared.kit.web.context import discard_actor, request_actor, request_claims, require_operator
from shared.kit.web.idempotency import IdempotentRoute
from shared.kit.web.problems import Malformed, ProblemResponses
from shared.kit.web.route_table import ROUTE_KEY, access_of

LARGE_BYTES = 64_000
"""A body larger than this, or of unknown size, is read only after the member's rights are."""
BODY_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class AccessGuard:
    """ASGI middleware outside `BodyGuard`: verifies the token and evaluates the route's gate.

    The token is verified by signature and claims, without the database. The member's rights are
    read before the body only where the body may be large. The body of a request without a route
    is never read.
    """

    def __init__(self, app: ASGIApp, problems: ProblemResponses) -> None:
        self._app, self._problems = app, problems

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass an authorised request on; respond to another with 400, 401, 403 or 503."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        route: APIRoute | None = scope.get(ROUTE_KEY)
        request = Request(scope)
        try:
            _check_url(scope)
            if route is not None and access_of(route) != "anonymous":
                await request_claims(request)
                await _authorise_large_body(request, route)
        except PreauError as error:
            await self._problems.for_error(request, error)(scope, receive, send)
            return
        await self._app(scope, receive if route is not None else _receive_empty_body, send)


async def _authorise_large_body(request: Request, route: APIRoute) -> None:
    """Check rights and the route's gate before a large body. Raises `Forbidden`, `Transient`."""
    gate = route.gate if isinstance(route, IdempotentRoute) else None
    if gate is None and not _may_be_large(request):
        return
    actor = await request_actor(request)
    if access_of(route) == "operator":
        await require_operator(actor)
    if gate is not None:
        require_allowed(gate(actor))
    discard_actor(request)


def _may_be_large(request: Request) -> bool:
    if request.method not in BODY_METHODS:
        return False
    length = request.headers.get("content-length")
    if length is None:
        return "transfer-encoding" in request.headers
    return not length.isdecimal() or int(length[:20]) > LARGE_BYTES


def _check_url(scope: Scope) -> None:
    path: str = scope["path"]
    if "\x00" in path or "%00" in path or b"%00" in scope["query_string"]:
        raise Malformed(detail="the address holds a NUL character")


async def _receive_empty_body() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}
