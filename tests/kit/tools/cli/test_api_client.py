"""What commands say when the platform does not do what they ask."""

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

Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(client_module, "_WAITS", (0, 0))
    folder = tmp_path / "préau"
    folder.mkdir()
    (folder / "operator.token").write_text("first\n")
    return folder


def _client(home: Path, answer: Answer, **environment: str) -> ApiClient:
    client = ApiClient({"PREAU_HOME": str(home), **environment})
    client._http = httpx.Client(base_url=client.url, transport=httpx.MockTransport(answer))
    return client


def test_where_it_asks(home: Path) -> None:
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


def test_the_token_is_read_at_each_request(home: Path) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=request.headers["authorization"])

    client = _client(home, answer)
    assert client.get("/x") == "Bearer first"
    (home / "operator.token").write_text("second")
    assert client.post("/x", {"é": 1}) == "Bearer second"


def test_questions_and_headers_go_along_and_none_is_left_out(home: Path) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(201, json=[str(request.url.query), request.headers["a-b"]])

    client = _client(home, lambda request: httpx.Response(200, json=str(request.url)))
    assert client.get("/x", space="école", other=None).endswith("/x?space=%C3%A9cole")
    assert _client(home, answer).post("/x", {}, **{"A-B": "c"})[1] == "c"


def test_an_answer_without_a_body_is_none(home: Path) -> None:
    assert _client(home, lambda _: httpx.Response(204)).post("/x", {}) is None


@pytest.mark.parametrize(
    ("status", "code"),
    [(422, 1), (404, 1), (409, 1), (401, EXIT_NOT_ALLOWED), (403, EXIT_NOT_ALLOWED)],
)
def test_a_problem_is_one_line_that_says_what_to_do(home: Path, status: int, code: int) -> None:
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
    said = "La demande n’est pas valable — space=École — /text: too long — Corrigez."
    assert failed.value.message == said


def test_a_busy_platform_is_asked_again_and_not_for_ever(home: Path) -> None:
    left = [httpx.Response(503), httpx.Response(429), httpx.Response(200, json="at last")]
    assert _client(home, lambda _: left.pop(0)).get("/x") == "at last"
    asked = []

    def busy(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(503)

    with pytest.raises(PlatformError) as failed:
        _client(home, busy).get("/x")
    assert (len(asked), failed.value.exit_code) == (3, EXIT_UNREACHABLE)


def test_it_waits_as_long_as_it_is_asked_to(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep_for", waits.append)
    monkeypatch.setattr(client_module, "_WAITS", (0.2, 0.5, 1.0, 2.0))
    asked = ["7", "Wed, 25 Nov 2026 14:00:00 GMT", "86400", None]
    left = [httpx.Response(503, headers={"Retry-After": each} if each else {}) for each in asked]
    left.append(httpx.Response(200, json="at last"))

    assert _client(home, lambda _: left.pop(0)).get("/x") == "at last"

    assert waits == [7.0, 0.5, 60.0, 2.0]


def test_nobody_answers(home: Path) -> None:
    def refused(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(PlatformError, match="make run") as failed:
        _client(home, refused).get("/x")
    assert failed.value.exit_code == EXIT_UNREACHABLE


def test_somebody_else_answers(home: Path) -> None:
    for status in (200, 404):
        answer = httpx.Response(status, text="<html>")
        with pytest.raises(PlatformError) as failed:
            _client(home, lambda _, answer=answer: answer).get("/x")  # type: ignore[misc]  # its default
        assert "http://127.0.0.1:8000" in failed.value.message


def test_an_address_that_is_none_is_said(home: Path) -> None:
    with pytest.raises(PlatformError, match="PREAU_URL"):
        ApiClient({"PREAU_URL": "http://école:port"})


def test_a_token_that_is_not_there_or_is_none(home: Path) -> None:
    token = home / "jeton"
    for make in (lambda: None, lambda: token.write_bytes(b"\xff")):
        make()
        client = _client(home, lambda _: httpx.Response(200), PREAU_TOKEN_FILE=str(token))
        with pytest.raises(PlatformError, match="PREAU_TOKEN_FILE") as failed:
            client.get("/x")
        assert failed.value.exit_code == EXIT_NOT_ALLOWED


def test_a_proxy_is_never_asked_for_our_own_machine(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.académie.test:3128")
    assert not ApiClient({"PREAU_HOME": str(home)})._http._mounts
    assert ApiClient({"PREAU_URL": "http://préau.test"})._http._mounts
