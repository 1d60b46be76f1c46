"""Calling a route past FastAPI's router and solver, when there is nothing in it to solve.

FastAPI reads a signature anew for each request; most routes of ours take what is in the path, one
body, and who is asking. Such a route is called directly. Whatever is not right goes to FastAPI,
which says so in its own words: a route has one behaviour, whichever way it is called.
"""

import re
from collections.abc import Awaitable, Callable, Coroutine, Iterable, MutableMapping, Sequence
from inspect import iscoroutinefunction
from typing import Any

from fastapi import Request, Response
from fastapi.datastructures import DefaultPlaceholder
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, serialize_response
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from starlette.routing import BaseRoute

from shared.kit.core.errors import PreauError
from shared.kit.web.body import BODY_KEY, PARSED_KEY, replay_body
from shared.kit.web.context import OPEN_UNIT_KEY
from shared.kit.web.idempotency import IdempotentRoute, guard_route
from shared.kit.web.problems import ProblemResponses
from shared.kit.web.route_table import PATH_VALUES_KEY, ROUTE_KEY

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
_JSON = re.compile(r"\s*application/([a-z0-9.-]+\+)?json\s*(;.*)?", re.IGNORECASE)
MAX_FASTAPI_ERRORS = 50
"""With more errors in a body FastAPI is not asked for its words: it writes all of them, twice."""


class _Spoilt(Exception):
    """The body holds many errors. Never leaves this module."""

    def __init__(self, wrong: Sequence[tuple[Sequence[object], str]]) -> None:
        super().__init__()
        self.wrong = wrong


class _Unfit(Exception):
    """FastAPI shall say what is wrong with this request. Never leaves this module."""


class DirectDispatch:
    """ASGI middleware, the innermost: calls the routes that can be called directly.

    `routes` are those that `RouteTable` finds: it has looked before this is called.
    """

    def __init__(
        self,
        app: Callable[..., Awaitable[None]],
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
        """Answer what one of these routes takes, and let anything else pass."""
        handler = self._handler(scope) if scope["type"] == "http" else None
        if handler is None:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive, send)
        try:
            answer = await handler(request)
        except _Unfit:
            # What was held for this route's call has ended; FastAPI's call holds its own.
            scope.pop(OPEN_UNIT_KEY, None)
            again = replay_body(scope[BODY_KEY], receive) if BODY_KEY in scope else receive
            await self._app(scope, again, send)
            return
        except _Spoilt as error:
            answer = self._problems.for_invalid_fields(request, error.wrong)
        except PreauError as error:
            answer = self._problems.for_error(request, error)
        await answer(scope, receive, send)

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
    """Return what calls this route; None when its signature says more than is read here."""
    told = route.dependant
    call, body, overridden = told.call, route.body_field, route.dependency_overrides_provider
    if call is None or not iscoroutinefunction(call) or not _is_plain(route):
        return None
    path = [(field.name, field.alias, field) for field in told.path_params]
    asked = [(each.name, each.call) for each in told.dependencies if each.name and each.call]
    body_name = told.body_params[0].name if told.body_params else None
    adapter: TypeAdapter[Any] | None = None
    if body is not None:
        annotation: Any = body.field_info.annotation
        adapter = TypeAdapter(annotation)

    async def handle(request: Request) -> Response:
        if getattr(overridden, "dependency_overrides", None):
            raise _Unfit
        values: dict[str, Any] = {}
        for name, dependency in asked:
            values[name] = await dependency(request)
        for name, alias, field in path:
            values[name] = _fit(field.validate(request.path_params[alias], {}, loc=("path",)))
        if adapter is not None and body_name is not None:
            kind = request.headers.get("content-type", "")
            if not _JSON.fullmatch(kind) or BODY_KEY not in request.scope:
                raise _Unfit
            values[body_name] = _valid(adapter, request.scope[PARSED_KEY])
        return await _answer(route, await call(**values))

    return handle


def _fit(validated: tuple[Any, list[dict[str, Any]]]) -> object:
    value, wrong = validated
    if wrong:
        raise _Unfit
    return value


def _valid(adapter: TypeAdapter[Any], value: object) -> object:
    """Validate a body. Raises `_Unfit` for a few errors, `_Spoilt` for many."""
    try:
        return adapter.validate_python(value, from_attributes=True)
    except ValidationError as error:
        if error.error_count() <= MAX_FASTAPI_ERRORS:
            raise _Unfit from error
        wrong = error.errors(include_url=False, include_context=False, include_input=False)
        raise _Spoilt([(each["loc"], each["msg"]) for each in wrong]) from None


def _is_plain(route: APIRoute) -> bool:
    told = route.dependant
    return (
        _takes_nothing_else(told)
        and all(_asks_the_request_only(each) for each in told.dependencies)
        and len(told.body_params) <= 1
        and (route.body_field is None or _is_plain_body(route.body_field.field_info))
        and not getattr(route, "_embed_body_fields", False)
        and isinstance(route.response_class, DefaultPlaceholder)
        and told.request_param_name is None
        and not route.is_json_stream
        and route.stream_item_field is None
    )


def _is_plain_body(field: FieldInfo) -> bool:
    return field.is_required() and not field.metadata


def _takes_nothing_else(told: Dependant) -> bool:
    return not (
        told.query_params
        or told.header_params
        or told.cookie_params
        or told.websocket_param_name
        or told.http_connection_param_name
        or told.response_param_name
        or told.background_tasks_param_name
        or told.security_scopes_param_name
    )


def _asks_the_request_only(told: Dependant) -> bool:
    alone = not (told.dependencies or told.path_params or told.body_params)
    named = told.request_param_name == "request" and told.name is not None
    return alone and named and _takes_nothing_else(told) and iscoroutinefunction(told.call)


async def _answer(route: APIRoute, given: object) -> Response:
    if isinstance(given, Response):
        return given
    content = await serialize_response(
        field=route.response_field,
        response_content=given,
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
