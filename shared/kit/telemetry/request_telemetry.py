"""A thin ASGI middleware: the server span of a request, and how long it took.

Ours, because the stock one halves the request rate even when nothing is recorded. Works in an
application that is mounted: routes are named as they are called, `/community/v1/posts/{post_id}`.
"""

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.routing import Mount

from shared.kit.core.host import Span, Telemetry
from shared.kit.telemetry.context import (
    RenamableSpan,
    is_sampled,
    service_context,
    trace_id,
    valid_traceparent,
)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

UNMEASURED_PATHS = ("/health", "/metrics")
_METHODS = frozenset("CONNECT DELETE GET HEAD OPTIONS PATCH POST PUT QUERY TRACE".split())
_SERVER_ERROR = 500


class RequestTelemetry:
    """Wraps a service's application."""

    def __init__(self, app: App, telemetry: Telemetry, service: str) -> None:
        self._app, self._telemetry, self._service = app, telemetry, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Measure a request; anything else, and what probes ask, passes."""
        if scope["type"] != "http" or _inside(scope).startswith(UNMEASURED_PATHS):
            await self._app(scope, receive, send)
            return
        called = scope["method"]
        method = called if called in _METHODS else "_OTHER"
        parent = valid_traceparent(_header(scope, b"traceparent"))
        attributes = {"http.request.method": method}
        with (
            service_context(self._service),
            self._telemetry.span(method, "server", parent=parent, attributes=attributes) as span,
        ):
            request = _Request(scope, method, send, span)
            try:
                await self._app(scope, receive, request.send)
            except BaseException as error:
                request.error = type(error).__qualname__
                raise
            finally:
                self._tell(request, span)

    def _tell(self, request: "_Request", span: Span) -> None:
        labels = {"http__request__method": request.method}
        route = request.route()
        if route is not None:
            labels["http__route"] = route
        if request.status is not None:
            labels["http__response__status_code"] = str(request.status)
        if request.error is not None:
            labels["error__type"] = request.error
        elif request.status is not None and request.status >= _SERVER_ERROR:
            labels["error__type"] = str(request.status)
        self._telemetry.observe("http.server.request.duration", request.seconds(), **labels)
        if is_sampled(span.traceparent):
            _describe(span, request, labels)


class _Request:
    """What is learnt of a request while it is answered."""

    def __init__(self, scope: Scope, method: str, send: Send, span: Span) -> None:
        self.scope, self.method = scope, method
        self.error: str | None = None
        self.status: int | None = None
        self._send, self._span = send, span
        self._mounted: str = scope.get("root_path", "")
        self._began = time.perf_counter()
        self._streamed: float | None = None

    async def send(self, message: Message) -> None:
        """Pass a message on; the first one gets the trace's id."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            if (b"content-type", b"text/event-stream") in [(n, v[:17]) for n, v in headers]:
                self._streamed = time.perf_counter()
            if self._span.traceparent is not None:
                headers += _answer(self._span.traceparent)
            message["headers"] = headers
        await self._send(message)

    def seconds(self) -> float:
        """Return how long it took; an event stream, which ends when the reader leaves, to begin."""
        return (self._streamed or time.perf_counter()) - self._began

    def route(self) -> str | None:
        """Name the route that was found, as it is called from outside; None when none was."""
        root: str = self.scope.get("root_path", "")
        route = self.scope.get("route")
        if route is not None and not isinstance(route, Mount):
            context = self.scope.get("fastapi", {}).get("effective_route_context")
            path = getattr(context, "path_format", None) or getattr(route, "path_format", "")
            return f"{root}{path}"
        # Nothing found, or a mounted application without routes, such as a folder of files.
        return root if root != self._mounted else None


def _describe(span: Span, request: _Request, labels: dict[str, str]) -> None:
    labels.pop("http__response__status_code", None)
    scope = request.scope
    span.set(**labels, url__path=scope["path"], url__scheme=scope.get("scheme", "http"))
    if request.status is not None:
        span.set(http__response__status_code=request.status)
    if scope.get("server"):
        span.set(server__address=scope["server"][0])
    if scope["method"] != request.method:
        span.set(http__request__method_original=scope["method"])
    name = "HTTP" if request.method == "_OTHER" else request.method
    if isinstance(span, RenamableSpan):
        span.rename(f"{name} {labels['http__route']}" if "http__route" in labels else name)


def _answer(traceparent: str) -> list[tuple[bytes, bytes]]:
    return [
        (b"traceresponse", traceparent.encode()),
        (b"x-trace-id", trace_id(traceparent).encode()),
    ]


def _inside(scope: Scope) -> str:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def _header(scope: Scope, name: bytes) -> str | None:
    for each, value in scope["headers"]:
        if each == name:
            text: str = value.decode("latin-1")
            return text
    return None
