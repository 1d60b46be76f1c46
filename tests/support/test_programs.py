"""The promise that no program of the tests leaves another behind, on ones that start at once."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.programs import start_child, stop_child

REPOSITORY = Path(__file__).resolve().parents[2]
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, lambda *_: None); open('up', 'x')"
WAITS = "; [time.sleep(1) for _ in range(60)]"
PROGRAM = f"""
import asyncio, pathlib, sys
from tests.support.programs import run_program, start_child, stop_child

async def work():
    child = await start_child(sys.executable, "-c", {STUBBORN + WAITS!r}, cwd=pathlib.Path.cwd())
    try:
        pathlib.Path("child.tmp").write_text(str(child.pid))
        pathlib.Path("child.tmp").rename("child")
        while not pathlib.Path("up").exists():
            await asyncio.sleep(0.01)
        pathlib.Path("ready").touch()
        await asyncio.sleep(60 if sys.argv[1] != "fails" else 0)
        raise LookupError("half-way")
    finally:
        await asyncio.sleep(0.3)
        await stop_child(child, 0.2)
        pathlib.Path("left").touch()

run_program(work(), timeout_seconds=float(sys.argv[2]))
"""


@pytest.mark.parametrize("stop_signal", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signalled_program_cleans_up_and_exits_with_its_number(
    tmp_path: Path, stop_signal: signal.Signals
) -> None:
    with _started(tmp_path, "sleeps") as program:
        child = _ready(tmp_path)
        program.send_signal(stop_signal)
        time.sleep(0.1)
        program.send_signal(stop_signal)  # an impatient second one

        assert program.wait(10) == 128 + stop_signal

    assert (tmp_path / "left").exists()
    assert not _lives(child)


def test_failed_program_ends_its_children(tmp_path: Path) -> None:
    with _started(tmp_path, "fails") as program:
        assert program.wait(10) == 1

    assert not _lives(int((tmp_path / "child").read_text()))


def test_slow_cleanup_is_cut_off(tmp_path: Path) -> None:
    with _started(tmp_path, "sleeps", within=0.1) as program:
        child = _ready(tmp_path)
        program.terminate()

        assert program.wait(10) == 128 + signal.SIGTERM

    assert not (tmp_path / "left").exists()
    if sys.platform == "linux":
        _until(lambda: not _lives(child))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of that death")
def test_killed_program_takes_its_children_along(tmp_path: Path) -> None:
    with _started(tmp_path, "sleeps") as program:
        child = _ready(tmp_path)
        program.kill()

    _until(lambda: not _lives(child))


async def test_started_child_is_the_command_itself(tmp_path: Path) -> None:
    program = "import os; print(os.getpid(), os.getcwd(), os.environ['WORD']); raise SystemExit(7)"
    process = await start_child(
        *(sys.executable, "-c", program),
        cwd=tmp_path,
        env=os.environ | {"WORD": "préau"},
        stdout=asyncio.subprocess.PIPE,
    )

    output, _ = await process.communicate()

    assert output.decode().split() == [str(process.pid), str(tmp_path), "préau"]
    assert process.returncode == 7
    assert await stop_child(process, 1), "that it has ended already is fine"


async def test_child_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    process = await start_child(sys.executable, "-c", STUBBORN + WAITS, cwd=tmp_path)
    while not (tmp_path / "up").exists():  # noqa: ASYNC110  another process makes it
        await asyncio.sleep(0.01)

    assert not await stop_child(process, 0.2)

    assert process.returncode == -signal.SIGKILL


def _started(folder: Path, how: str, within: float = 60) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, how, str(within)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stderr=subprocess.DEVNULL,
    )


def _ready(folder: Path) -> int:
    _until((folder / "ready").exists)
    return int((folder / "child").read_text())


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # Its parent was killed, and who reaps in its place may be slow.
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def _until(true: Callable[[], bool], within: float = 10) -> None:
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)
