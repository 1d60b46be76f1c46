"""Without a platform there is one line of error; a started platform is always stopped."""

import sys
from pathlib import Path

import pytest

from tests.oracle import platform as house
from tests.oracle.platform import NoPlatformError, platform, surroundings

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

SERVER = """
import http.server, os, signal, sys
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health/ready" else 404)
        self.end_headers()
    def log_message(self, *_): pass
def stop(*_):
    open(os.environ["STOPPED"], "w").close()
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
http.server.HTTPServer(("127.0.0.1", int(os.environ["PREAU_PORT"])), Ready).serve_forever()
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The program that starts a platform, to be written by the test."""
    file = tmp_path / "platform.py"
    monkeypatch.setattr(house, "PROGRAM", (str(file),))
    return file


def _without_port(**more: str) -> dict[str, str]:
    return {name: text for name, text in surroundings().items() if name != "PREAU_PORT"} | more


def _fail_at(running: house.Platform, started: list[house.Platform]) -> None:
    started.append(running)
    assert house.is_ready(running.environment["PREAU_PORT"])
    assert Path(running.environment["PREAU_HOME"]).parent.is_dir()
    raise RuntimeError("in the middle")


def test_port_without_platform_is_refused() -> None:
    with (
        pytest.raises(NoPlatformError, match=r"Nothing is ready on port 1 \(PREAU_PORT\)"),
        platform({"PREAU_PORT": "1"}),
    ):
        pass


def test_error_contains_the_output_of_a_failed_platform(program: Path) -> None:
    program.write_text("raise SystemExit('no jars')")
    with (
        pytest.raises(NoPlatformError, match=r"ended before it was ready.*\n.*no jars"),
        platform(_without_port()),
    ):
        pass


def test_started_platform_is_stopped_after_a_failure(program: Path) -> None:
    program.write_text(SERVER)
    stopped = program.with_name("stopped")
    started: list[house.Platform] = []
    with (
        pytest.raises(RuntimeError, match="in the middle"),
        platform(_without_port(STOPPED=str(stopped))) as running,
    ):
        _fail_at(running, started)
    assert stopped.exists()
    assert not house.is_ready(started[0].environment["PREAU_PORT"])


def test_command_without_json_output_is_an_error() -> None:
    running = house.Platform(_without_port(PREAU_PORT="1"))
    with pytest.raises(NoPlatformError, match="preau --help ended with 0 and no JSON"):
        running.ask("--help")
    assert Path(sys.executable).with_name("preau").exists()
