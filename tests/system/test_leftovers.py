"""However a program that starts services and servers ends, nothing of what it started is left."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.stack_process import REPOSITORY, descendant_pids, running_pids
from tests.system.overload import platform as overload

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]
READY_WITHIN, LEFT_WITHIN = 120.0, 90.0


@dataclass(frozen=True)
class Program:
    """A program, and the words of the commands that it has started once all is there."""

    arguments: Sequence[str]
    starts: Sequence[str]


PODS = tuple(
    f"shared.kit.runtime {name}" for name in ("community", "identity", "metrics", "moderation")
)
OVERLOAD = Program(("tests.system.overload", "--minutes", "3"), ("kafka.Kafka", *PODS))
FAULTS = Program(
    ("tests.chaos", "--rate", "5"), ("kafka.Kafka", "chaos.broker_proxy", "chaos.fork_server")
)
BENCHMARKS = Program(
    ("tests.benchmarks", "--case", "consume", "--who", "Préau"),
    ("kafka.Kafka", "tests.benchmarks.ours.reader"),
)


@pytest.mark.parametrize(
    ("program", "stop_signal"),
    [
        (OVERLOAD, signal.SIGTERM),
        (OVERLOAD, signal.SIGKILL),
        (FAULTS, signal.SIGINT),
        (FAULTS, signal.SIGKILL),
        (BENCHMARKS, signal.SIGTERM),
    ],
)
def test_stopped_program_leaves_no_process(
    program: Program, stop_signal: signal.Signals, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", *program.arguments],
        cwd=REPOSITORY,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    started: set[int] = set()
    try:
        _until(lambda: process.poll() is not None or _has_started(program, process.pid))
        started = descendant_pids(process.pid)
        process.send_signal(stop_signal)

        status = process.wait(LEFT_WITHIN)
        assert status == (-stop_signal if stop_signal == signal.SIGKILL else 128 + stop_signal)
        _until(
            lambda: not running_pids(started), LEFT_WITHIN if stop_signal == signal.SIGKILL else 1
        )
        if stop_signal != signal.SIGKILL:
            assert list(tmp_path.iterdir()) == [], "its data are gone too"
    finally:
        process.kill()
        process.wait()
        for pid in running_pids(started):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.allow_hosts(["127.0.0.1"])
async def test_failed_start_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overload, "READY_TIMEOUT_SECONDS", 0.0)
    pids_before = descendant_pids(os.getpid())

    with pytest.raises(ExceptionGroup) as failed:
        async with overload.start_platform(tmp_path / "home"):
            pass

    assert failed.group_contains(AssertionError), "no pod is ready at once"
    assert running_pids(descendant_pids(os.getpid()) - pids_before) == set()


def _has_started(program: Program, pid: int) -> bool:
    listing = subprocess.run(
        ["ps", "-ww", "-o", "args=", "-p", ",".join(map(str, descendant_pids(pid) | {pid}))],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return all(words in listing for words in program.starts)


def _until(true: Callable[[], bool], within: float = READY_WITHIN) -> None:
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.2)
