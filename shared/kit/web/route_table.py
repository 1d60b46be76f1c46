"""Which route a request is for: looked up once, before its token is checked or its body is read."""

from collections.abc import Iterable, MutableMapping
from typing import Any

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

ROUTE_KEY, PATH_VALUES_KEY = "preau.route", "preau.path_values"
"""Where, in a request's scope, stand its route (None: unknown) and the texts in its path."""
ACTION_EXTENSION, ACCESS_EXTENSION = "x-action", "x-access"
"""Where a route keeps what it does and for whom: in its OpenAPI operation too."""
Scope = MutableMapping[str, Any]


class RouteTable:
    """The routes of an application by method, in their order: the first that fits is the one.

    It ends at the first route that is not FastAPI's own: what such a one takes only it knows.
    """

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self._by_method: dict[str, list[APIRoute]] = {}
        for route in routes:
            if not isinstance(route, APIRoute):
                break
            for method in route.methods or ():
                self._by_method.setdefault(method, []).append(route)

    def find(self, scope: Scope) -> APIRoute | None:
        """Find the route of a request and write it, and the texts in its path, into the scope."""
        path = path_in_app(scope)
        for route in self._by_method.get(scope["method"], ()):
            match = route.path_regex.match(path)
            if match is not None:
                scope[ROUTE_KEY], scope[PATH_VALUES_KEY] = route, match.groupdict()
                return route
        scope[ROUTE_KEY] = None
        return None


def path_in_app(scope: Scope) -> str:
    """Return the path of an HTTP request inside the application that is mounted."""
    if scope["type"] != "http":
        return ""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def access_of(route: APIRoute) -> str:
    """Say for whom a route is; one that says nothing needs no token."""
    return str((route.openapi_extra or {}).get(ACCESS_EXTENSION, "anonymous"))
