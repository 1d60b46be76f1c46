"""The supervisor never leaves a server running, tested with short programs."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.local.errors import StackError
from deploy.local.servers import Program, ServerProcess

ORDERLY = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path('tidy').touch(), sys.exit(0)))
pathlib.Path('up').touch()
time.sleep(60)
"""
STUBBORN = ORDERLY.replace("pathlib.Path('tidy').touch(), sys.exit(0)", "None").replace(
    "time.sleep(60)", "[time.sleep(1) for _ in range(60)]"
)


async def test_exit_status_and_last_log_line_are_reported(tmp_path: Path) -> None:
    server = ServerProcess.start(_program(tmp_path, "import sys; sys.exit('Error: no such thing')"))

    assert await server.wait_until_exit() == 1

    with pytest.raises(StackError, match="Thing stopped by itself: Error: no such thing"):
        server.raise_if_stopped()
    await server.stop()


async def test_server_gets_its_stop_signal_before_sigkill(tmp_path: Path) -> None:
    server = ServerProcess.start(_program(tmp_path, ORDERLY))
    _wait_until((tmp_path / "up").exists)

    await server.stop()

    assert (tmp_path / "tidy").exists()


async def test_server_that_ignores_its_stop_signal_is_killed(tmp_path: Path) -> None:
    server = ServerProcess.start(_program(tmp_path, STUBBORN, grace=0.2))
    _wait_until((tmp_path / "up").exists)

    start = time.monotonic()
    await server.stop()

    assert time.monotonic() - start < 5
    assert await server.wait_until_exit() != 0


async def test_signal_to_the_supervisor_stops_the_server(tmp_path: Path) -> None:
    server = ServerProcess.start(_program(tmp_path, ORDERLY))
    _wait_until((tmp_path / "up").exists)

    os.kill(server.pid, signal.SIGTERM)

    _wait_until((tmp_path / "tidy").exists)
    assert await server.wait_until_exit() == 0
    await server.stop()


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux signals a child at its parent's death"
)
async def test_server_stops_with_its_killed_supervisor(tmp_path: Path) -> None:
    server = ServerProcess.start(_program(tmp_path, ORDERLY))
    _wait_until((tmp_path / "up").exists)

    os.kill(server.pid, signal.SIGKILL)

    _wait_until((tmp_path / "tidy").exists)
    await server.stop()


async def test_server_gets_only_a_few_environment_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREAU_SECRET", "hunter2")
    monkeypatch.setenv("LC_ALL", "POSIX")
    server = ServerProcess.start(_program(tmp_path, "import os; print(dict(os.environ))"))

    await server.wait_until_exit()

    log = (tmp_path / "log").read_text()
    assert "hunter2" not in log
    assert "UTF-8" in log
    await server.stop()


def _program(folder: Path, code: str, *, grace: float = 10) -> Program:
    command = [sys.executable, "-c", code]
    return Program("Thing", command, folder, folder / "log", grace_seconds=grace)


def _wait_until(condition: Callable[[], bool], within: float = 10) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "the condition stayed false"
        time.sleep(0.01)
