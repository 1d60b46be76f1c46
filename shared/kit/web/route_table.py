"""Finds the route of a request once, before its token is verified and its body is read."""

from collections.abc import Iterable

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute
from starlette.types import Scope

ROUTE_KEY, PATH_VALUES_KEY = "preau.route", "preau.path_values"
"""Keys of a request's scope: its route (None: unknown), and its path parameters as texts."""
ACTION_EXTENSION, ACCESS_EXTENSION = "x-action", "x-access"
"""OpenAPI extensions of an operation: its action and the access that it needs."""


class RouteTable:
    """The routes of an application by method, in order: the first match wins.

    Routes after the first one that is no `APIRoute` (such as a mount) are left to Starlette.
    """

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self._by_method: dict[str, list[APIRoute]] = {}
        for route in routes:
            if not isinstance(route, APIRoute):
                break
            for method in route.methods or ():
                self._by_method.setdefault(method, []).append(route)

    def find(self, scope: Scope) -> APIRoute | None:
        """Find the route of a request; set `ROUTE_KEY` and `PATH_VALUES_KEY` in its scope."""
        path = path_in_app(scope)
        for route in self._by_method.get(scope["method"], ()):
            match = route.path_regex.match(path)
            if match is not None:
                scope[ROUTE_KEY], scope[PATH_VALUES_KEY] = route, match.groupdict()
                return route
        scope[ROUTE_KEY] = None
        return None


def path_in_app(scope: Scope) -> str:
    """Return the path of an HTTP request without the mount path of the application."""
    if scope["type"] != "http":
        return ""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def access_of(route: APIRoute) -> str:
    """Return the access that a route needs: its `x-access`; `anonymous` without one."""
    return str((route.openapi_extra or {}).get(ACCESS_EXTENSION, "anonymous"))
