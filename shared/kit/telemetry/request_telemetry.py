"""ASGI middleware that records the server span and the duration of each request.

OpenTelemetry's own middleware halves the request rate even when nothing is recorded. Routes of a
mounted application are named with the mount: `/community/v1/posts/{post_id}`.
"""

import time

from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.kit.core.host import Span, Telemetry
from shared.kit.telemetry.context import (
    RenamableSpan,
    is_sampled,
    service_context,
    trace_id,
    valid_traceparent,
)

UNMEASURED_PATHS = ("/health", "/metrics")
_METHODS = frozenset("CONNECT DELETE GET HEAD OPTIONS PATCH POST PUT QUERY TRACE".split())
_SERVER_ERROR = 500


class RequestTelemetry:
    """Measures the HTTP requests of a service's application."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry, service: str) -> None:
        self._app, self._telemetry, self._service = app, telemetry, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Measure an HTTP request; pass probes and other protocols through unmeasured."""
        if scope["type"] != "http" or _path_in_mount(scope).startswith(UNMEASURED_PATHS):
            await self._app(scope, receive, send)
            return
        requested_method = scope["method"]
        method = requested_method if requested_method in _METHODS else "_OTHER"
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
                self._record(request, span)

    def _record(self, request: "_Request", span: Span) -> None:
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
    """Collects status, error and timing of one request."""

    def __init__(self, scope: Scope, method: str, send: Send, span: Span) -> None:
        self.scope, self.method = scope, method
        self.error: str | None = None
        self.status: int | None = None
        self._send, self._span = send, span
        self._mount_path: str = scope.get("root_path", "")
        self._start = time.perf_counter()
        self._stream_start: float | None = None

    async def send(self, message: Message) -> None:
        """Send a message; the response start gets the headers with the trace id."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            if (b"content-type", b"text/event-stream") in [(n, v[:17]) for n, v in headers]:
                self._stream_start = time.perf_counter()
            if self._span.traceparent is not None:
                headers += _trace_headers(self._span.traceparent)
            message["headers"] = headers
        await self._send(message)

    def seconds(self) -> float:
        """Return the duration so far; for an event stream, the time until it started."""
        return (self._stream_start or time.perf_counter()) - self._start

    def route(self) -> str | None:
        """Return the matched route with its mount, or None without a match."""
        root: str = self.scope.get("root_path", "")
        route = self.scope.get("route")
        if route is not None and not isinstance(route, Mount):
            context = self.scope.get("fastapi", {}).get("effective_route_context")
            path = getattr(context, "path_format", None) or getattr(route, "path_format", "")
            return f"{root}{path}"
        # No route matched, or a mounted application without routes, such as static files.
        return root if root != self._mount_path else None


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


def _trace_headers(traceparent: str) -> list[tuple[bytes, bytes]]:
    return [
        (b"traceresponse", traceparent.encode()),
        (b"x-trace-id", trace_id(traceparent).encode()),
    ]


def _path_in_mount(scope: Scope) -> str:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def _header(scope: Scope, name: bytes) -> str | None:
    for header, value in scope["headers"]:
        if header == name:
            text: str = value.decode("latin-1")
            return text
    return None
