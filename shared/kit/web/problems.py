"""Problem documents (RFC 9457): every error of the API, in the client's language."""

from collections.abc import Sequence
from typing import ClassVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from markupsafe import escape
from starlette.exceptions import HTTPException

from shared.kit.core.errors import Invalid, NotFound, PreauError
from shared.kit.core.host import Telemetry
from shared.kit.telemetry.logs import get_logger
from shared.kit.web.messages import Messages, preferred_language

MEDIA_TYPE = "application/problem+json"
MAX_ERRORS = 50
"""Maximum of errors in a response; `errors_total` counts all of them."""
MAX_POINTER_CHARACTERS, MAX_MESSAGE_CHARACTERS, MAX_FACT_CHARACTERS = 100, 200, 500
"""Longer texts are cut, since pointers and facts may contain what the client sent."""
log = get_logger("web")


class Malformed(PreauError):
    """The body is not UTF-8 JSON that can be stored."""

    status: ClassVar[int] = 400
    key = "malformed"


class TooLarge(PreauError):
    """The body is larger than the route accepts."""

    status = 413
    key = "too_large"


class TooSlow(PreauError):
    """The body arrives too slowly."""

    status = 408
    key = "too_slow"


class MethodNotAllowed(PreauError):
    """The path exists, for other methods."""

    status = 405
    key = "method_not_allowed"


class ProblemResponses:
    """Turns errors into problem documents for one application."""

    def __init__(self, app: FastAPI, messages: Messages, telemetry: Telemetry) -> None:
        self._messages, self._telemetry = messages, telemetry
        app.add_exception_handler(PreauError, self._preau_error)
        app.add_exception_handler(RequestValidationError, self._validation_error)
        app.add_exception_handler(HTTPException, self._http_error)
        app.add_api_route("/problems/{key}", self._problem_page, include_in_schema=False)

    def for_error(
        self,
        request: Request,
        error: PreauError,
        errors: Sequence[dict[str, str]] = (),
        total: int = 0,
    ) -> Response:
        """Return the problem document of an error; `errors` are the first of `total`."""
        if error.internal_reason is not None:
            log.warning("error response", key=error.key, internal_reason=error.internal_reason)
        facts = {name: _json_value(value) for name, value in error.facts.items()}
        message = self._messages.for_error(
            type(error), preferred_language(_accept_language(request)), facts
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
        response = JSONResponse(document, error.status, media_type=MEDIA_TYPE)
        retry_after = error.facts.get("retry_after")
        if retry_after is not None:
            response.headers["Retry-After"] = str(retry_after)
        if error.status == 401:  # noqa: PLR2004  the status that demands the header
            response.headers["WWW-Authenticate"] = "Bearer"
        return response

    async def _preau_error(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, PreauError)  # noqa: S101  registered for this class
        return self.for_error(request, error)

    def for_invalid_fields(
        self, request: Request, invalid: Sequence[tuple[Sequence[object], str]]
    ) -> Response:
        """Return the problem document of invalid fields: (location, message) of each."""
        errors = [
            {
                "pointer": _cut(_json_pointer(location), MAX_POINTER_CHARACTERS),
                "message": _cut(message, MAX_MESSAGE_CHARACTERS),
            }
            for location, message in invalid[:MAX_ERRORS]
        ]
        return self.for_error(request, Invalid(), errors, len(invalid))

    async def _validation_error(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101  registered for this class
        return self.for_invalid_fields(request, [(e["loc"][1:], e["msg"]) for e in error.errors()])

    async def _http_error(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101  registered for this class
        response = self.for_error(request, _ERROR_BY_STATUS.get(error.status_code, Malformed)())
        response.headers.update(error.headers or {})  # such as Allow
        return response

    async def _problem_page(self, request: Request, key: str) -> Response:
        language = preferred_language(_accept_language(request))
        if key not in self._messages.keys(language):
            raise NotFound
        message = self._messages.get(key, language)
        return HTMLResponse(
            f"<!doctype html><html lang={language}><title>{escape(message['title'])}</title>"
            f"<h1>{escape(message['title'])}</h1><p>{escape(message.get('help', ''))}</p></html>",
            headers={"Content-Language": language},
        )


_ERROR_BY_STATUS: dict[int, type[PreauError]] = {
    404: NotFound,
    405: MethodNotAllowed,
    413: TooLarge,
}


def _json_value(value: object) -> object:
    if isinstance(value, bool | int | float | None):
        return value
    return _cut(str(value), MAX_FACT_CHARACTERS)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}…"


def _json_pointer(location: Sequence[object]) -> str:
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in location)
    return "".join(f"/{part}" for part in parts)


def _accept_language(request: Request) -> str:
    return request.headers.get("accept-language", "")
