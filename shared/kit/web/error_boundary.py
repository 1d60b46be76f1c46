"""The edge of an application: its security headers, and an answer even when our code fails."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.requests import ClientDisconnect, Request

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
"""A route that sets one of them itself is not overruled."""
_RAW = [(name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class ErrorBoundary:
    """ASGI middleware, inside the request's span, so that a failure's answer has its trace id.

    Starlette's own handler of unexpected errors stands outside of every middleware: its answer
    would have neither headers nor trace.
    """

    def __init__(self, app: Callable[..., Awaitable[None]], problems: ProblemResponses) -> None:
        self._app, self._problems = app, problems

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, and answer for what comes back as an exception."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                there = {name.lower() for name, _ in message.get("headers", ())}
                more = [each for each in _RAW if each[0] not in there]
                message["headers"] = [*message.get("headers", ()), *more]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except ClientDisconnect:
            log.info("client left", path=scope["path"])
        except Exception:
            log.exception("unexpected", path=scope["path"])
            if begun:  # too late for another answer: the server cuts the connection
                raise
            answer = self._problems.for_error(Request(scope), PreauError())
            await answer(scope, receive, sending)
