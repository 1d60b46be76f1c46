"""A fast path for routes with simple signatures, past FastAPI's router and dependency solver.

FastAPI resolves a signature again for each request; most of our routes take only path parameters,
one body and the caller, and such a route is called directly. A request that is not valid goes to
FastAPI, which writes the error: a route behaves the same on both paths.
"""

import re
from collections.abc import Callable, Coroutine, Iterable, Sequence
from inspect import iscoroutinefunction
from typing import Any

from fastapi import Request, Response
from fastapi.datastructures import DefaultPlaceholder
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, serialize_response
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.kit.core.errors import PreauError
from shared.kit.web.body import BODY_KEY, PARSED_KEY, replay_body
from shared.kit.web.context import OPEN_UNIT_KEY
from shared.kit.web.idempotency import IdempotentRoute, guard_route
from shared.kit.web.problems import ProblemResponses
from shared.kit.web.route_table import PATH_VALUES_KEY, ROUTE_KEY

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
_JSON = re.compile(r"\s*application/([a-z0-9.-]+\+)?json\s*(;.*)?", re.IGNORECASE)
MAX_FASTAPI_ERRORS = 50
"""With more errors in a body, FastAPI does not write the response: it builds all of them twice."""


class _ManyErrors(Exception):
    """The body has many errors. Private to this module."""

    def __init__(self, errors: Sequence[tuple[Sequence[object], str]]) -> None:
        super().__init__()
        self.errors = errors


class _FallBackToFastAPI(Exception):
    """FastAPI must write the response to this invalid request. Private to this module."""


class DirectDispatch:
    """The innermost ASGI middleware: calls the routes with simple signatures directly.

    `RouteTable` has found the route of the request before; `routes` are the same routes.
    """

    def __init__(
        self,
        app: ASGIApp,
        routes: Iterable[BaseRoute],
        problems: ProblemResponses,
    ) -> None:
        self._app, self._problems = app, problems
        self._handlers: dict[int, Handler] = {}
        for route in routes:
            if not isinstance(route, IdempotentRoute):
                continue
            call = build_direct_handler(route)
            if call is not None:
                self._handlers[id(route)] = guard_route(route, call)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the request's route directly if possible; pass any other request on."""
        handler = self._handler(scope) if scope["type"] == "http" else None
        if handler is None:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive, send)
        try:
            response = await handler(request)
        except _FallBackToFastAPI:
            # This call's unit of work has ended; the call by FastAPI opens another one.
            scope.pop(OPEN_UNIT_KEY, None)
            receive_again = replay_body(scope[BODY_KEY], receive) if BODY_KEY in scope else receive
            await self._app(scope, receive_again, send)
            return
        except _ManyErrors as error:
            response = self._problems.for_invalid_fields(request, error.errors)
        except PreauError as error:
            response = self._problems.for_error(request, error)
        await response(scope, receive, send)

    def _handler(self, scope: Scope) -> Handler | None:
        route: APIRoute | None = scope.get(ROUTE_KEY)
        handler = self._handlers.get(id(route))
        if route is None or handler is None:
            return None
        convert = route.param_convertors
        values = {name: convert[name].convert(v) for name, v in scope[PATH_VALUES_KEY].items()}
        scope["path_params"] = {**scope.get("path_params", {}), **values}
        scope["route"], scope["endpoint"] = route, route.endpoint
        return handler


def build_direct_handler(route: APIRoute) -> Handler | None:
    """Return a handler that calls this route directly; None when its signature is not simple."""
    dependant = route.dependant
    call, body_field = dependant.call, route.body_field
    overrides_provider = route.dependency_overrides_provider
    if call is None or not iscoroutinefunction(call) or not _is_simple(route):
        return None
    path_fields = [(field.name, field.alias, field) for field in dependant.path_params]
    dependencies = [(d.name, d.call) for d in dependant.dependencies if d.name and d.call]
    body_name = dependant.body_params[0].name if dependant.body_params else None
    adapter: TypeAdapter[Any] | None = None
    if body_field is not None:
        annotation: Any = body_field.field_info.annotation
        adapter = TypeAdapter(annotation)

    async def handle(request: Request) -> Response:
        if getattr(overrides_provider, "dependency_overrides", None):
            raise _FallBackToFastAPI
        values: dict[str, Any] = {}
        for name, dependency in dependencies:
            values[name] = await dependency(request)
        for name, alias, field in path_fields:
            values[name] = _valid_value(
                field.validate(request.path_params[alias], {}, loc=("path",))
            )
        if adapter is not None and body_name is not None:
            media_type = request.headers.get("content-type", "")
            if not _JSON.fullmatch(media_type) or BODY_KEY not in request.scope:
                raise _FallBackToFastAPI
            values[body_name] = _valid_body(adapter, request.scope[PARSED_KEY])
        return await _build_response(route, await call(**values))

    return handle


def _valid_value(validated: tuple[Any, list[dict[str, Any]]]) -> object:
    value, errors = validated
    if errors:
        raise _FallBackToFastAPI
    return value


def _valid_body(adapter: TypeAdapter[Any], value: object) -> object:
    """Validate a body. Raises `_FallBackToFastAPI` for a few errors, `_ManyErrors` for many."""
    try:
        return adapter.validate_python(value, from_attributes=True)
    except ValidationError as error:
        if error.error_count() <= MAX_FASTAPI_ERRORS:
            raise _FallBackToFastAPI from error
        details = error.errors(include_url=False, include_context=False, include_input=False)
        raise _ManyErrors([(detail["loc"], detail["msg"]) for detail in details]) from None


def _is_simple(route: APIRoute) -> bool:
    dependant = route.dependant
    return (
        _has_no_other_parameters(dependant)
        and all(_takes_request_only(inner) for inner in dependant.dependencies)
        and len(dependant.body_params) <= 1
        and (route.body_field is None or _is_simple_body(route.body_field.field_info))
        and not getattr(route, "_embed_body_fields", False)
        and isinstance(route.response_class, DefaultPlaceholder)
        and dependant.request_param_name is None
        and not route.is_json_stream
        and route.stream_item_field is None
    )


def _is_simple_body(field: FieldInfo) -> bool:
    return field.is_required() and not field.metadata


def _has_no_other_parameters(dependant: Dependant) -> bool:
    return not (
        dependant.query_params
        or dependant.header_params
        or dependant.cookie_params
        or dependant.websocket_param_name
        or dependant.http_connection_param_name
        or dependant.response_param_name
        or dependant.background_tasks_param_name
        or dependant.security_scopes_param_name
    )


def _takes_request_only(dependant: Dependant) -> bool:
    childless = not (dependant.dependencies or dependant.path_params or dependant.body_params)
    named = dependant.request_param_name == "request" and dependant.name is not None
    return (
        childless
        and named
        and _has_no_other_parameters(dependant)
        and iscoroutinefunction(dependant.call)
    )


async def _build_response(route: APIRoute, result: object) -> Response:
    if isinstance(result, Response):
        return result
    content = await serialize_response(
        field=route.response_field,
        response_content=result,
        include=route.response_model_include,
        exclude=route.response_model_exclude,
        by_alias=route.response_model_by_alias,
        exclude_unset=route.response_model_exclude_unset,
        exclude_defaults=route.response_model_exclude_defaults,
        exclude_none=route.response_model_exclude_none,
        is_coroutine=True,
        endpoint_ctx=None,
        dump_json=route.response_field is not None,
    )
    return Response(content, route.status_code or 200, media_type="application/json")
