"""Errors of the API client: what commands print when a request fails."""

import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from shared.kit.tools.cli import api_client as client_module
from shared.kit.tools.cli.api_client import (
    EXIT_NOT_ALLOWED,
    EXIT_UNREACHABLE,
    ApiClient,
    PlatformError,
)

Handler = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(client_module, "_RETRY_WAITS_SECONDS", (0, 0))
    folder = tmp_path / "préau"
    folder.mkdir()
    (folder / "operator.token").write_text("first\n")
    return folder


def _client(home: Path, handler: Handler, **environment: str) -> ApiClient:
    client = ApiClient({"PREAU_HOME": str(home), **environment})
    client._http = httpx.Client(base_url=client.url, transport=httpx.MockTransport(handler))
    return client


def test_client_url_comes_from_environment(home: Path) -> None:
    environments: list[dict[str, str]] = [
        {},
        {"PREAU_PORT": "9000"},
        {"PREAU_PORT": "9000", "PREAU_URL": "https://préau.test/"},
        {"PREAU_PORT": ""},
    ]
    assert [ApiClient(env).url for env in environments] == [
        "http://127.0.0.1:8000",
        "http://127.0.0.1:9000",
        "https://préau.test",
        "http://127.0.0.1:8000",
    ]


def test_token_is_read_for_each_request(home: Path) -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=request.headers["authorization"])

    client = _client(home, respond)
    assert client.get("/x") == "Bearer first"
    (home / "operator.token").write_text("second")
    assert client.post("/x", {"é": 1}) == "Bearer second"


def test_query_and_headers_are_sent_without_none(home: Path) -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        return httpx.Response(201, json=[str(request.url.query), request.headers["a-b"]])

    client = _client(home, lambda request: httpx.Response(200, json=str(request.url)))
    assert client.get("/x", space="école", other=None).endswith("/x?space=%C3%A9cole")
    assert _client(home, respond).post("/x", {}, **{"A-B": "c"})[1] == "c"


def test_response_without_body_is_none(home: Path) -> None:
    assert _client(home, lambda _: httpx.Response(204)).post("/x", {}) is None


@pytest.mark.parametrize(
    ("status", "code"),
    [(422, 1), (404, 1), (409, 1), (401, EXIT_NOT_ALLOWED), (403, EXIT_NOT_ALLOWED)],
)
def test_problem_becomes_one_line_with_help(home: Path, status: int, code: int) -> None:
    problem = {
        "type": "/community/problems/x",
        "title": "La demande n’est pas valable",
        "status": status,
        "help": "Corrigez.",
        "instance": "/x",
        "space": "École",
        "errors": [{"pointer": "/text", "message": "too long"}],
    }
    client = _client(home, lambda _: httpx.Response(status, json=problem))
    with pytest.raises(PlatformError) as failed:
        client.get("/x")
    assert failed.value.exit_code == code
    expected = "La demande n’est pas valable — space=École — /text: too long — Corrigez."
    assert failed.value.message == expected


def test_busy_platform_is_retried_a_limited_number_of_times(home: Path) -> None:
    responses = [httpx.Response(503), httpx.Response(429), httpx.Response(200, json="at last")]
    assert _client(home, lambda _: responses.pop(0)).get("/x") == "at last"
    requests = []

    def busy(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(503)

    with pytest.raises(PlatformError) as failed:
        _client(home, busy).get("/x")
    assert (len(requests), failed.value.exit_code) == (3, EXIT_UNREACHABLE)


def test_retry_after_is_respected_up_to_a_maximum(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    monkeypatch.setattr(client_module, "_RETRY_WAITS_SECONDS", (0.2, 0.5, 1.0, 2.0))
    retry_after_values = ["7", "Wed, 25 Nov 2026 14:00:00 GMT", "86400", None]
    responses = [
        httpx.Response(503, headers={"Retry-After": value} if value else {})
        for value in retry_after_values
    ]
    responses.append(httpx.Response(200, json="at last"))

    assert _client(home, lambda _: responses.pop(0)).get("/x") == "at last"

    assert waits == [7.0, 0.5, 60.0, 2.0]


def test_unreachable_platform_has_its_exit_code(home: Path) -> None:
    def refused(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(PlatformError, match="make run") as failed:
        _client(home, refused).get("/x")
    assert failed.value.exit_code == EXIT_UNREACHABLE


def test_another_server_on_the_port_is_reported(home: Path) -> None:
    for status in (200, 404):
        response = httpx.Response(status, text="<html>")
        with pytest.raises(PlatformError) as failed:
            _client(home, lambda _, response=response: response).get("/x")  # type: ignore[misc]  # its default
        assert "http://127.0.0.1:8000" in failed.value.message


def test_invalid_url_names_the_setting(home: Path) -> None:
    with pytest.raises(PlatformError, match="PREAU_URL"):
        ApiClient({"PREAU_URL": "http://école:port"})


def test_missing_or_invalid_token_names_the_setting(home: Path) -> None:
    token = home / "jeton"
    for prepare in (lambda: None, lambda: token.write_bytes(b"\xff")):
        prepare()
        client = _client(home, lambda _: httpx.Response(200), PREAU_TOKEN_FILE=str(token))
        with pytest.raises(PlatformError, match="PREAU_TOKEN_FILE") as failed:
            client.get("/x")
        assert failed.value.exit_code == EXIT_NOT_ALLOWED


def test_proxy_is_not_used_for_this_machine(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.académie.test:3128")
    assert not ApiClient({"PREAU_HOME": str(home)})._http._mounts
    assert ApiClient({"PREAU_URL": "http://préau.test"})._http._mounts
