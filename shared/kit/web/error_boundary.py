"""Adds the security headers, and responds with a problem document to unexpected errors."""

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.kit.core.errors import PreauError
from shared.kit.telemetry.logs import get_logger
from shared.kit.web.problems import ProblemResponses

log = get_logger("web")
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
}
"""Added to every response that does not set the header itself."""
_RAW_HEADERS = [(name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]


class ErrorBoundary:
    """ASGI middleware inside the request's span, so that the response to a failure has a trace id.

    Trap: Starlette handles unexpected errors outside of every middleware: its response would have
    neither the security headers nor a trace id.
    """

    def __init__(self, app: ASGIApp, problems: ProblemResponses) -> None:
        self._app, self._problems = app, problems

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; log an unexpected error and respond with 500."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                present = {name.lower() for name, _ in message.get("headers", ())}
                missing = [header for header in _RAW_HEADERS if header[0] not in present]
                message["headers"] = [*message.get("headers", ()), *missing]
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except ClientDisconnect:
            log.info("client left", path=scope["path"])
        except Exception:
            log.exception("unexpected", path=scope["path"])
            if started:  # too late for another response: the server closes the connection
                raise
            response = self._problems.for_error(Request(scope), PreauError())
            await response(scope, receive, send_with_headers)
