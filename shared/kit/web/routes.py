"""Routes that name their action: one without an action, or without a guard, cannot be written."""

from collections.abc import Callable
from typing import Any, Literal, TypedDict, TypeVar, Unpack

from fastapi import APIRouter, Response

from shared.kit.web.idempotency import ACCESS, ACTION, IdempotentRoute

Access = Literal["member", "operator", "anonymous"]
F = TypeVar("F", bound=Callable[..., Any])
_KEY_PARAMETER = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "1 to 200 visible characters; the same key again gives the same answer again",
    "schema": {"type": "string"},
}


class Described(TypedDict, total=False):
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
        self.larger: dict[str, int] = {}

    def get(
        self, path: str, *, action: str, access: Access = "member", **more: Unpack[Described]
    ) -> Callable[[F], F]:
        """Declare a route that only reads."""
        return self._route("GET", path, action, access, **more)

    def post(
        self,
        path: str,
        *,
        action: str,
        access: Access = "member",
        limit: int | None = None,
        light: bool = False,
        **more: Unpack[Described],
    ) -> Callable[[F], F]:
        """Declare a route that changes something; `limit` is its largest body, in bytes.

        One whose command is in `light` units holds no connection, so it takes no turn.
        """
        if limit is not None:
            self.larger[f"/v1{path}"] = limit
        return self._route("POST", path, action, access, light=light, **more)

    def put(
        self, path: str, *, action: str, access: Access = "member", **more: Unpack[Described]
    ) -> Callable[[F], F]:
        """Declare a route that replaces something."""
        return self._route("PUT", path, action, access, **more)

    def delete(
        self, path: str, *, action: str, access: Access = "member", **more: Unpack[Described]
    ) -> Callable[[F], F]:
        """Declare a route that removes something."""
        return self._route("DELETE", path, action, access, **more)

    def _route(
        self,
        method: str,
        path: str,
        action: str,
        access: Access,
        *,
        light: bool = False,
        **more: Unpack[Described],
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
            made = self.router.routes[-1]
            if isinstance(made, IdempotentRoute):
                made.light = light
            return function

        return register


def _operation(method: str, action: str, access: Access) -> dict[str, Any]:
    keyed = method == "POST" and access != "anonymous"
    return {
        ACTION: action,
        ACCESS: access,
        **({"parameters": [_KEY_PARAMETER]} if keyed else {}),
    }
