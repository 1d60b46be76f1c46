"""How commands speak to the platform: its API, with the token in a file, like anyone else."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import httpx

EXIT_UNREACHABLE = 3
EXIT_NOT_ALLOWED = 4
_WAITS = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
MAX_WAIT_SECONDS = 60.0
"""Seconds: a platform that asks for more is not waited for any longer."""
_BUSY = (429, 503)
_DENIED = (401, 403)
_DOWN = (502, 503, 504)


class PlatformError(click.ClickException):
    """What went wrong, in one line, and the exit code that says which kind it is."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click reads it from the instance too


def base_url(environment: Mapping[str, str]) -> str:
    """Say where the platform is: `PREAU_URL`, else this machine's `PREAU_PORT` (8000)."""
    port = environment.get("PREAU_PORT") or "8000"
    return (environment.get("PREAU_URL") or f"http://127.0.0.1:{port}").rstrip("/")


def anonymous_client() -> httpx.Client:
    """A client without a token, for what anybody may ask."""
    return httpx.Client(base_url=base_url(os.environ), timeout=30)


class ApiClient:
    """A client of the API at `PREAU_URL`, else of the platform on `PREAU_PORT` (8000)."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        env = os.environ if environment is None else environment
        self.url = base_url(env)
        home = Path(env.get("PREAU_HOME") or ".preau")
        self._token_file = Path(env.get("PREAU_TOKEN_FILE") or home / "operator.token")
        # A proxy of the organisation is for far addresses, never for our own machine.
        far = "PREAU_URL" in env
        try:
            self._http = httpx.Client(base_url=self.url, timeout=120, trust_env=far)
        except httpx.InvalidURL as error:
            raise PlatformError(f"PREAU_URL: {error}", EXIT_UNREACHABLE) from error

    def get(self, path: str, **query: str | int | None) -> Any:
        """GET a path and give its JSON; raises `PlatformError`."""
        found = {name: value for name, value in query.items() if value is not None}
        return self._ask(self._http.build_request("GET", path, params=found))

    def post(self, path: str, body: object, **headers: str) -> Any:
        """POST a JSON body and give the JSON answer; raises `PlatformError`."""
        request = self._http.build_request("POST", path, json=body, headers=headers)
        return self._ask(request)

    def delete(self, path: str, **query: str | None) -> Any:
        """DELETE a path and give the JSON answer, if there is one; raises `PlatformError`."""
        given = {name: value for name, value in query.items() if value is not None}
        return self._ask(self._http.build_request("DELETE", path, params=given))

    def _ask(self, request: httpx.Request) -> object:
        answer = self._patiently(request)
        if not answer.is_success:
            raise self._problem(answer)
        try:
            return answer.json() if answer.content else None
        except ValueError as error:
            message = f"What answers at {self.url} is not the platform: see PREAU_URL, PREAU_PORT"
            raise PlatformError(message, EXIT_UNREACHABLE) from error

    def _patiently(self, request: httpx.Request) -> httpx.Response:
        """Ask, and ask again while the platform says that it is busy."""
        for wait in (*_WAITS, None):
            # Read each time: it is renewed every few minutes.
            request.headers["Authorization"] = f"Bearer {self._token()}"
            try:
                answer = self._http.send(request)
            except httpx.HTTPError as error:
                message = f"The platform does not answer at {self.url} ({error}): make run"
                raise PlatformError(message, EXIT_UNREACHABLE) from error
            if answer.status_code not in _BUSY or wait is None:
                return answer
            time.sleep(_wait(answer, wait))
        raise AssertionError("unreachable")

    def _token(self) -> str:
        try:
            return self._token_file.read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            message = f"No token in {self._token_file}: make run writes it, or set PREAU_TOKEN_FILE"
            raise PlatformError(message, EXIT_NOT_ALLOWED) from error

    def _problem(self, answer: httpx.Response) -> PlatformError:
        kinds = dict.fromkeys(_DENIED, EXIT_NOT_ALLOWED) | dict.fromkeys(_DOWN, EXIT_UNREACHABLE)
        code = kinds.get(answer.status_code, 1)
        try:
            said = answer.json()
            known = {"type", "title", "status", "help", "instance", "trace_id", "errors"}
            facts = ", ".join(f"{n}={v}" for n, v in said.items() if n not in known)
            errors = "; ".join(f"{e['pointer']}: {e['message']}" for e in said.get("errors", ()))
            parts = [said["title"], facts, errors, said["help"]]
            return PlatformError(" — ".join(part for part in parts if part), code)
        except (ValueError, KeyError, TypeError):
            return PlatformError(f"{answer.request.url}: HTTP {answer.status_code}", code)


def _wait(answer: httpx.Response, otherwise: float) -> float:
    """Say how long to wait: as the answer asks, in seconds, else as long as usual."""
    asked = answer.headers.get("Retry-After", "")
    # It may be a date too, which this platform never sends.
    return (
        min(float(asked), MAX_WAIT_SECONDS) if asked.isascii() and asked.isdecimal() else otherwise
    )
