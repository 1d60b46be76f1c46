"""Routes that name their action: one without an action, or without a guard, cannot be written."""

from collections.abc import Callable
from typing import Any, Literal, TypedDict, TypeVar, Unpack

from fastapi import APIRouter, Response

from shared.kit.limiting.route_limits import RouteCost
from shared.kit.web.body import MAX_ANONYMOUS_BODY_BYTES, MAX_BODY_BYTES
from shared.kit.web.idempotency import Gate, IdempotentRoute
from shared.kit.web.route_table import ACCESS_EXTENSION, ACTION_EXTENSION

Access = Literal["member", "suspended_too", "operator", "anonymous"]
"""`suspended_too`: members, and among them those who are suspended at present."""
F = TypeVar("F", bound=Callable[..., Any])
_KEY_PARAMETER = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "1 to 200 visible characters; the same key again gives the same answer again",
    "schema": {"type": "string"},
}


class RouteOptions(TypedDict, total=False):
    """What FastAPI may be told of a route beside."""

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
    """A feature's routes under `/v1`; `router` is handed to `web_app`."""

    def __init__(self, tag: str) -> None:
        self.router = APIRouter(prefix="/v1", tags=[tag], route_class=IdempotentRoute)

    def get(
        self,
        path: str,
        *,
        action: str,
        access: Access = "member",
        load: RouteCost | None = None,
        **more: Unpack[RouteOptions],
    ) -> Callable[[F], F]:
        """Declare a route that only reads; one of a `heavy` load may be asked for seldom."""
        register = self._route("GET", path, action, access, **more)

        def loaded(function: F) -> F:
            register(function)
            self._last().load = load
            return function

        return loaded

    def post(  # noqa: PLR0913  a route, in words
        self,
        path: str,
        *,
        action: str,
        access: Access = "member",
        max_body_bytes: int | None = None,
        gate: Gate | None = None,
        batched: bool = False,
        load: RouteCost | None = None,
        secret_fields: tuple[str, ...] = (),
        **more: Unpack[RouteOptions],
    ) -> Callable[[F], F]:
        """Declare a route that changes something; `limit` is its largest body, in bytes.

        `gate` is a policy of the actor alone that is asked before the body is read; a body larger
        than the default needs one. A route whose command is in `light` units holds no connection,
        so it takes no turn. `load` says which limits and which lane it has. The fields of its
        answer named in `secret` are given once, and never kept for an idempotent replay. Raises
        `ValueError` for a large body that nothing guards.
        """
        _check_limit(path, access, max_body_bytes, gate)
        register = self._route("POST", path, action, access, **more)

        def limited(function: F) -> F:
            register(function)
            route = self._last()
            route.batched, route.max_body_bytes, route.gate = batched, max_body_bytes, gate
            route.secret_fields, route.load = secret_fields, load
            return function

        return limited

    def put(
        self, path: str, *, action: str, access: Access = "member", **more: Unpack[RouteOptions]
    ) -> Callable[[F], F]:
        """Declare a route that replaces something."""
        return self._route("PUT", path, action, access, **more)

    def delete(
        self, path: str, *, action: str, access: Access = "member", **more: Unpack[RouteOptions]
    ) -> Callable[[F], F]:
        """Declare a route that removes something."""
        return self._route("DELETE", path, action, access, **more)

    def _last(self) -> IdempotentRoute:
        route = self.router.routes[-1]
        assert isinstance(route, IdempotentRoute)  # noqa: S101  the router's own class
        return route

    def _route(
        self,
        method: str,
        path: str,
        action: str,
        access: Access,
        **more: Unpack[RouteOptions],
    ) -> Callable[[F], F]:
        if not action:
            raise ValueError(f"{method} {path} names no action")

        def register(function: F) -> F:
            self.router.add_api_route(
                path,
                function,
                methods=[method],
                openapi_extra=_operation(method, action, access),
                **more,
            )
            return function

        return register


def _check_limit(path: str, access: Access, limit: int | None, gate: Gate | None) -> None:
    default = MAX_ANONYMOUS_BODY_BYTES if access == "anonymous" else MAX_BODY_BYTES
    if limit is None or limit <= default:
        return
    if access == "anonymous":
        raise ValueError(f"POST {path}: a body without a token has at most {default} bytes")
    if gate is None:
        raise ValueError(f"POST {path}: a body of more than {default} bytes needs a gate")


def _operation(method: str, action: str, access: Access) -> dict[str, Any]:
    keyed = method == "POST" and access != "anonymous"
    return {
        ACTION_EXTENSION: action,
        ACCESS_EXTENSION: access,
        **({"parameters": [_KEY_PARAMETER]} if keyed else {}),
    }
