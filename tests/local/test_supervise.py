"""The promise that no server is left behind, on programs that start in milliseconds."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.local.errors import StackError
from deploy.local.servers import Program, ServerProcess

TIDY = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path('tidy').touch(), sys.exit(0)))
pathlib.Path('up').touch()
time.sleep(60)
"""
STUBBORN = TIDY.replace("pathlib.Path('tidy').touch(), sys.exit(0)", "None").replace(
    "time.sleep(60)", "[time.sleep(1) for _ in range(60)]"
)


async def test_its_status_and_last_words_are_told(tmp_path: Path) -> None:
    server = ServerProcess.start(_program(tmp_path, "import sys; sys.exit('Error: no such thing')"))

    assert await server.wait_until_exit() == 1

    with pytest.raises(StackError, match="Thing stopped by itself: Error: no such thing"):
        server.raise_if_stopped()
    await server.stop()


async def test_it_is_asked_before_it_is_killed(tmp_path: Path) -> None:
    server = ServerProcess.start(_program(tmp_path, TIDY))
    _until((tmp_path / "up").exists)

    await server.stop()

    assert (tmp_path / "tidy").exists()


async def test_who_does_not_listen_is_killed(tmp_path: Path) -> None:
    server = ServerProcess.start(_program(tmp_path, STUBBORN, grace=0.2))
    _until((tmp_path / "up").exists)

    before = time.monotonic()
    await server.stop()

    assert time.monotonic() - before < 5
    assert await server.wait_until_exit() != 0


async def test_a_request_to_its_supervisor_reaches_it(tmp_path: Path) -> None:
    server = ServerProcess.start(_program(tmp_path, TIDY))
    _until((tmp_path / "up").exists)

    os.kill(server.pid, signal.SIGTERM)

    _until((tmp_path / "tidy").exists)
    assert await server.wait_until_exit() == 0
    await server.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of that death")
async def test_a_killed_supervisor_takes_it_along(tmp_path: Path) -> None:
    server = ServerProcess.start(_program(tmp_path, TIDY))
    _until((tmp_path / "up").exists)

    os.kill(server.pid, signal.SIGKILL)

    _until((tmp_path / "tidy").exists)
    await server.stop()


async def test_it_sees_little_of_our_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREAU_SECRET", "hunter2")
    monkeypatch.setenv("LC_ALL", "POSIX")
    server = ServerProcess.start(_program(tmp_path, "import os; print(dict(os.environ))"))

    await server.wait_until_exit()

    said = (tmp_path / "log").read_text()
    assert "hunter2" not in said
    assert "UTF-8" in said
    await server.stop()


def _program(folder: Path, code: str, *, grace: float = 10) -> Program:
    command = [sys.executable, "-c", code]
    return Program("Thing", command, folder, folder / "log", grace_seconds=grace)


def _until(holds: Callable[[], bool], within: float = 10) -> None:
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
