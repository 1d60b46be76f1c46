"""Problem documents (RFC 9457): every error of the interface, in the reader's language."""

from collections.abc import Sequence
from typing import ClassVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from markupsafe import escape
from starlette.exceptions import HTTPException

from shared.kit.core.errors import Invalid, NotFound, PreauError
from shared.kit.core.host import Telemetry
from shared.kit.web.messages import Messages, preferred_language

MEDIA_TYPE = "application/problem+json"
MAX_ERRORS = 50
"""Errors that an answer names; `errors_total` is how many there are."""
MAX_POINTER_CHARACTERS, MAX_MESSAGE_CHARACTERS, MAX_FACT_CHARACTERS = 100, 200, 500
"""Characters; a pointer and a fact may hold what the client sent."""
_PRIVATE = ("because",)


class Malformed(PreauError):
    """The body is not JSON in UTF-8 that we could store."""

    status: ClassVar[int] = 400
    key = "malformed"


class TooLarge(PreauError):
    """The body is larger than this route takes."""

    status = 413
    key = "too_large"


class TooSlow(PreauError):
    """The body comes in too slowly, or has stopped."""

    status = 408
    key = "too_slow"


class MethodNotAllowed(PreauError):
    """The route exists, for other methods."""

    status = 405
    key = "method_not_allowed"


class ProblemResponses:
    """Turns errors into answers for one application."""

    def __init__(self, app: FastAPI, messages: Messages, telemetry: Telemetry) -> None:
        self._messages, self._telemetry = messages, telemetry
        app.add_exception_handler(PreauError, self._known)
        app.add_exception_handler(RequestValidationError, self._validation)
        app.add_exception_handler(HTTPException, self._http)
        app.add_api_route("/problems/{key}", self._page, include_in_schema=False)

    def for_error(
        self,
        request: Request,
        error: PreauError,
        errors: Sequence[dict[str, str]] = (),
        total: int = 0,
    ) -> Response:
        """Write the problem document of an error; `errors` are the first of `total`."""
        facts = {n: _plain(v) for n, v in error.facts.items() if n not in _PRIVATE}
        message = self._messages.for_error(
            type(error), preferred_language(_accepted(request)), facts
        )
        document: dict[str, object] = {
            **facts,
            "type": f"{request.scope.get('root_path', '')}/problems/{error.key}",
            "title": message["title"],
            "status": error.status,
            "help": message["help"],
            "instance": _cut(request.url.path, MAX_FACT_CHARACTERS),
        }
        trace = self._telemetry.current()
        if trace:
            document["trace_id"] = trace.split("-")[1]
        if errors:
            document["errors"] = list(errors)
            document["errors_total"] = total
        answer = JSONResponse(document, error.status, media_type=MEDIA_TYPE)
        retry = error.facts.get("retry_after")
        if retry is not None:
            answer.headers["Retry-After"] = str(retry)
        if error.status == 401:  # noqa: PLR2004  the status that demands the header
            answer.headers["WWW-Authenticate"] = "Bearer"
        return answer

    async def _known(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, PreauError)  # noqa: S101  registered for this class
        return self.for_error(request, error)

    def for_invalid_fields(
        self, request: Request, wrong: Sequence[tuple[Sequence[object], str]]
    ) -> Response:
        """Write the problem document of fields that are wrong: where each is, and why."""
        errors = [
            {
                "pointer": _cut(_pointer(location), MAX_POINTER_CHARACTERS),
                "message": _cut(message, MAX_MESSAGE_CHARACTERS),
            }
            for location, message in wrong[:MAX_ERRORS]
        ]
        return self.for_error(request, Invalid(), errors, len(wrong))

    async def _validation(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101  registered for this class
        return self.for_invalid_fields(request, [(e["loc"][1:], e["msg"]) for e in error.errors()])

    async def _http(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101  registered for this class
        answer = self.for_error(request, _HTTP.get(error.status_code, Malformed)())
        answer.headers.update(error.headers or {})  # such as Allow
        return answer

    async def _page(self, request: Request, key: str) -> Response:
        language = preferred_language(_accepted(request))
        if key not in self._messages.keys(language):
            raise NotFound
        message = self._messages.get(key, language)
        return HTMLResponse(
            f"<!doctype html><html lang={language}><title>{escape(message['title'])}</title>"
            f"<h1>{escape(message['title'])}</h1><p>{escape(message.get('help', ''))}</p></html>",
            headers={"Content-Language": language},
        )


_HTTP: dict[int, type[PreauError]] = {404: NotFound, 405: MethodNotAllowed, 413: TooLarge}


def _plain(value: object) -> object:
    if isinstance(value, bool | int | float | None):
        return value
    return _cut(str(value), MAX_FACT_CHARACTERS)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}…"


def _pointer(location: Sequence[object]) -> str:
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in location)
    return "".join(f"/{part}" for part in parts)


def _accepted(request: Request) -> str:
    return request.headers.get("accept-language", "")
