"""Calling a route past FastAPI's solver, when there is nothing in it to solve.

FastAPI reads a signature anew for each request; most routes of ours take what is in the path, one
body, and who is asking. Such a route is called directly. Whatever is not right goes to FastAPI,
which says so in its own words: a route has one behaviour, whichever way it is called.
"""

from collections.abc import Awaitable, Callable, Coroutine
from inspect import iscoroutinefunction
from typing import Any

from fastapi import Request, Response
from fastapi.datastructures import DefaultPlaceholder
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, serialize_response

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
PARSED = "preau.json"
"""Where, in a request's scope, stands the value of its body, when somebody has read it."""
_JSON = frozenset({"application/json", "application/json; charset=utf-8"})


def quick(route: APIRoute, slow: Handler) -> Handler:
    """Give what calls this route: `slow` itself when its signature says more than we read."""
    told = route.dependant
    call, body, overridden = told.call, route.body_field, route.dependency_overrides_provider
    if call is None or not iscoroutinefunction(call) or not _is_plain(route):
        return slow
    path = [(field.name, field.alias, field) for field in told.path_params]
    asked = [(each.name, each.call) for each in told.dependencies if each.name]
    body_name = told.body_params[0].name if told.body_params else None

    async def handle(request: Request) -> Response:
        if getattr(overridden, "dependency_overrides", None):
            return await slow(request)
        values: dict[str, Any] = {}
        for name, dependency in asked:
            values[name] = await _called(dependency, request)
        for name, alias, field in path:
            values[name], wrong = field.validate(request.path_params[alias], {}, loc=("path",))
            if wrong:
                return await slow(request)
        if body is not None and body_name is not None:
            if request.headers.get("content-type") not in _JSON or PARSED not in request.scope:
                return await slow(request)
            values[body_name], wrong = body.validate(request.scope[PARSED], {}, loc=("body",))
            if wrong:
                return await slow(request)
        return await _answer(route, await call(**values))

    return handle


def _is_plain(route: APIRoute) -> bool:
    told = route.dependant
    return (
        _takes_nothing_else(told)
        and all(_asks_the_request_only(each) for each in told.dependencies)
        and len(told.body_params) <= 1
        and (route.body_field is None or route.body_field.field_info.is_required())
        and not getattr(route, "_embed_body_fields", False)
        and isinstance(route.response_class, DefaultPlaceholder)
        and told.request_param_name is None
        and not route.is_json_stream
        and route.stream_item_field is None
    )


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


async def _called(dependency: Callable[..., Any] | None, request: Request) -> object:
    if dependency is None:
        raise TypeError("a dependency without a function")
    asked: Awaitable[object] = dependency(request)
    return await asked


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
