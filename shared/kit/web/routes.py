"""Declares routes: each one names its action and the access that it needs."""

from collections.abc import Callable
from typing import Any, Literal, TypedDict, TypeVar, Unpack

from fastapi import APIRouter, Response

from shared.kit.limiting.route_limits import RouteCost
from shared.kit.web.body import MAX_ANONYMOUS_BODY_BYTES, MAX_BODY_BYTES
from shared.kit.web.idempotency import Gate, IdempotentRoute
from shared.kit.web.route_table import ACCESS_EXTENSION, ACTION_EXTENSION

Access = Literal["member", "suspended_too", "operator", "anonymous"]
"""`suspended_too`: members, including suspended ones."""
F = TypeVar("F", bound=Callable[..., Any])
_KEY_PARAMETER = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "1 to 200 visible characters; the same key again gives the same answer again",
    "schema": {"type": "string"},
}


class RouteOptions(TypedDict, total=False):
    """Further options of FastAPI for a route."""

    status_code: int
    summary: str
    description: str
    response_description: str
    response_model: Any
    response_model_exclude_none: bool
    response_class: type[Response]
    responses: dict[int | str, dict[str, Any]]
    include_in_schema: bool
    name: str
    deprecated: bool


class Routes:
    """A feature's routes under `/v1`; `web_app` adds them to the application."""

    def __init__(self, tag: str) -> None:
        self.router = APIRouter(prefix="/v1", tags=[tag], route_class=IdempotentRoute)

    def get(
        self,
        path: str,
        *,
        action: str,
        access: Access = "member",
        cost: RouteCost | None = None,
        **options: Unpack[RouteOptions],
    ) -> Callable[[F], F]:
        """Declare a route that only reads; `cost` selects its rate limit."""
        register = self._route("GET", path, action, access, **options)

        def register_with_cost(function: F) -> F:
            register(function)
            self._last_route().cost = cost
            return function

        return register_with_cost

    def post(  # noqa: PLR0913  the options of a route, by name
        self,
        path: str,
        *,
        action: str,
        access: Access = "member",
        max_body_bytes: int | None = None,
        gate: Gate | None = None,
        batched: bool = False,
        cost: RouteCost | None = None,
        secret_fields: tuple[str, ...] = (),
        **options: Unpack[RouteOptions],
    ) -> Callable[[F], F]:
        """Declare a route that changes something.

        `gate` is a policy of the actor only, evaluated before the body is read; a
        `max_body_bytes` above the default needs one (raises `ValueError`). A `batched` route's
        command runs in batched units of work: it holds no connection, so it needs no permit of
        `WriteConcurrencyLimit`. `cost` selects the rate limit and the queue. `secret_fields` of
        the response are sent once and never stored for an idempotent replay.
        """
        _check_max_body(path, access, max_body_bytes, gate)
        register = self._route("POST", path, action, access, **options)

        def register_with_options(function: F) -> F:
            register(function)
            route = self._last_route()
            route.batched, route.max_body_bytes, route.gate = batched, max_body_bytes, gate
            route.secret_fields, route.cost = secret_fields, cost
            return function

        return register_with_options

    def put(
        self, path: str, *, action: str, access: Access = "member", **options: Unpack[RouteOptions]
    ) -> Callable[[F], F]:
        """Declare a route that replaces something."""
        return self._route("PUT", path, action, access, **options)

    def delete(
        self, path: str, *, action: str, access: Access = "member", **options: Unpack[RouteOptions]
    ) -> Callable[[F], F]:
        """Declare a route that removes something."""
        return self._route("DELETE", path, action, access, **options)

    def _last_route(self) -> IdempotentRoute:
        route = self.router.routes[-1]
        assert isinstance(route, IdempotentRoute)  # noqa: S101  the router's own class
        return route

    def _route(
        self,
        method: str,
        path: str,
        action: str,
        access: Access,
        **options: Unpack[RouteOptions],
    ) -> Callable[[F], F]:
        if not action:
            raise ValueError(f"{method} {path} names no action")

        def register(function: F) -> F:
            self.router.add_api_route(
                path,
                function,
                methods=[method],
                openapi_extra=_operation(method, action, access),
                **options,
            )
            return function

        return register


def _check_max_body(
    path: str, access: Access, max_body_bytes: int | None, gate: Gate | None
) -> None:
    default = MAX_ANONYMOUS_BODY_BYTES if access == "anonymous" else MAX_BODY_BYTES
    if max_body_bytes is None or max_body_bytes <= default:
        return
    if access == "anonymous":
        raise ValueError(f"POST {path}: a body without a token has at most {default} bytes")
    if gate is None:
        raise ValueError(f"POST {path}: a body of more than {default} bytes needs a gate")


def _operation(method: str, action: str, access: Access) -> dict[str, Any]:
    takes_key = method == "POST" and access != "anonymous"
    return {
        ACTION_EXTENSION: action,
        ACCESS_EXTENSION: access,
        **({"parameters": [_KEY_PARAMETER]} if takes_key else {}),
    }
