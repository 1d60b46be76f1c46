"""HTTP client of the platform's API for commands; the bearer token is read from a file."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import httpx

EXIT_UNREACHABLE = 3
EXIT_NOT_ALLOWED = 4
_RETRY_WAITS_SECONDS = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
MAX_WAIT_SECONDS = 60.0
"""Upper bound for a `Retry-After` of the platform."""
_BUSY_STATUSES = (429, 503)
_DENIED_STATUSES = (401, 403)
_UNAVAILABLE_STATUSES = (502, 503, 504)


class PlatformError(click.ClickException):
    """A failed request or command: a message of one line and the exit code of its kind."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click reads it from the instance


def base_url(environment: Mapping[str, str]) -> str:
    """Return the platform's URL: `PREAU_URL`, else this machine on `PREAU_PORT` (8000)."""
    port = environment.get("PREAU_PORT") or "8000"
    return (environment.get("PREAU_URL") or f"http://127.0.0.1:{port}").rstrip("/")


def anonymous_client() -> httpx.Client:
    """Return a client without a token, for routes that need no sign-in."""
    return httpx.Client(base_url=base_url(os.environ), timeout=30)


class ApiClient:
    """Client of the API at `PREAU_URL`, else on this machine at `PREAU_PORT` (8000)."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        env = os.environ if environment is None else environment
        self.url = base_url(env)
        home = Path(env.get("PREAU_HOME") or ".preau")
        self._token_file = Path(env.get("PREAU_TOKEN_FILE") or home / "operator.token")
        # An HTTP proxy of the organisation may serve remote addresses, never this machine.
        is_remote = "PREAU_URL" in env
        try:
            self._http = httpx.Client(base_url=self.url, timeout=120, trust_env=is_remote)
        except httpx.InvalidURL as error:
            raise PlatformError(f"PREAU_URL: {error}", EXIT_UNREACHABLE) from error

    def get(self, path: str, **query: str | int | None) -> Any:
        """Send a GET request and return its JSON body; raises `PlatformError`."""
        parameters = {name: value for name, value in query.items() if value is not None}
        return self._send(self._http.build_request("GET", path, params=parameters))

    def post(self, path: str, body: object, **headers: str) -> Any:
        """Send a POST request with a JSON body and return its response; raises `PlatformError`."""
        request = self._http.build_request("POST", path, json=body, headers=headers)
        return self._send(request)

    def delete(self, path: str, **query: str | None) -> Any:
        """Send a DELETE request and return its JSON response or None; raises `PlatformError`."""
        parameters = {name: value for name, value in query.items() if value is not None}
        return self._send(self._http.build_request("DELETE", path, params=parameters))

    def _send(self, request: httpx.Request) -> object:
        response = self._send_with_retries(request)
        if not response.is_success:
            raise self._to_platform_error(response)
        try:
            return response.json() if response.content else None
        except ValueError as error:
            message = (
                f"The server at {self.url} is not the platform: check PREAU_URL and PREAU_PORT"
            )
            raise PlatformError(message, EXIT_UNREACHABLE) from error

    def _send_with_retries(self, request: httpx.Request) -> httpx.Response:
        """Send the request, and repeat it while the platform responds that it is busy."""
        for wait_seconds in (*_RETRY_WAITS_SECONDS, None):
            # Read for each attempt: the token is renewed every few minutes.
            request.headers["Authorization"] = f"Bearer {self._read_token()}"
            try:
                response = self._http.send(request)
            except httpx.HTTPError as error:
                message = (
                    f"The platform does not answer at {self.url} ({error}): start it with make run"
                )
                raise PlatformError(message, EXIT_UNREACHABLE) from error
            if response.status_code not in _BUSY_STATUSES or wait_seconds is None:
                return response
            time.sleep(_retry_wait(response, wait_seconds))
        raise AssertionError("unreachable")

    def _read_token(self) -> str:
        try:
            return self._token_file.read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            message = f"No token in {self._token_file}: start make run, or set PREAU_TOKEN_FILE"
            raise PlatformError(message, EXIT_NOT_ALLOWED) from error

    def _to_platform_error(self, response: httpx.Response) -> PlatformError:
        exit_codes = dict.fromkeys(_DENIED_STATUSES, EXIT_NOT_ALLOWED) | dict.fromkeys(
            _UNAVAILABLE_STATUSES, EXIT_UNREACHABLE
        )
        code = exit_codes.get(response.status_code, 1)
        try:
            problem = response.json()
            standard_fields = {"type", "title", "status", "help", "instance", "trace_id", "errors"}
            facts = ", ".join(
                f"{name}={value}" for name, value in problem.items() if name not in standard_fields
            )
            errors = "; ".join(
                f"{error['pointer']}: {error['message']}" for error in problem.get("errors", ())
            )
            parts = [problem["title"], facts, errors, problem["help"]]
            return PlatformError(" — ".join(part for part in parts if part), code)
        except (ValueError, KeyError, TypeError):
            return PlatformError(f"{response.request.url}: HTTP {response.status_code}", code)


def _retry_wait(response: httpx.Response, default_seconds: float) -> float:
    """Return the seconds to wait: those of the response's `Retry-After`, else the default."""
    retry_after = response.headers.get("Retry-After", "")
    # A date is valid in this header too, but this platform never sends one.
    return (
        min(float(retry_after), MAX_WAIT_SECONDS)
        if retry_after.isascii() and retry_after.isdecimal()
        else default_seconds
    )
