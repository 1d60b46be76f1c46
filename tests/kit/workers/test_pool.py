"""WorkerPool: each task has a result or a failure; no worker outlives its parent."""

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from shared.kit.telemetry.noop import NoTelemetry
from shared.kit.workers import pool as pool_module
from shared.kit.workers.pool import WorkerPool, worker_count
from shared.kit.workers.process import TaskFailure, WorkerJob

COMMANDS = "tests.support.worker_jobs:open_commands"
TASK_CPU_SECONDS = 0.5


class FailureCounter(NoTelemetry):
    """Counts failed tasks by reason."""

    def __init__(self) -> None:
        self.reasons: Counter[str] = Counter()

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        assert name == "preau.worker.lost"
        self.reasons[labels["reason"]] += int(amount)


@asynccontextmanager
async def open_pool(factory: str = COMMANDS, size: int = 1) -> AsyncIterator[WorkerPool]:
    pool = WorkerPool("probe", WorkerJob(factory, TASK_CPU_SECONDS), size, FailureCounter())
    try:
        yield pool
    finally:
        await pool.close()


@pytest.mark.parametrize("size", [1, 2])
async def test_results_are_in_the_order_of_the_tasks(size: int) -> None:
    tasks = [f"n{number}".encode() for number in range(100)]
    async with open_pool(size=size) as pool:
        assert await pool.run(tasks) == [task.upper() for task in tasks]
        assert await pool.run([]) == []


async def test_a_spinning_task_is_late_and_others_have_results() -> None:
    async with open_pool() as pool:
        results = await pool.run([b"a", b"spin", b"b", b"c"])
        assert results == [b"A", TaskFailure.LATE, b"B", b"C"]
        assert _failure_counts(pool) == {"late": 1}


async def test_the_event_loop_runs_while_a_task_holds_the_gil() -> None:
    async with open_pool() as pool:
        await pool.run([b"a"])
        running = asyncio.create_task(pool.run([b"spin"]))
        delays = []
        while not running.done():
            began = time.thread_time()
            await asyncio.sleep(0.01)
            delays.append(time.thread_time() - began)
        assert await running == [TaskFailure.LATE]
        assert len(delays) > 5
        assert max(delays) < 0.5


async def test_a_sleeping_task_is_late_though_it_uses_no_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.kit.workers.process.WALL_TIME_MARGIN_SECONDS", 0.0)
    monkeypatch.setattr("shared.kit.workers.process.WALL_TIME_FACTOR", 2)
    async with open_pool() as pool:
        assert await pool.run([b"sleep", b"b"]) == [TaskFailure.LATE, b"B"]


@pytest.mark.parametrize(
    ("task", "failure"),
    [(b"exit", TaskFailure.DIED), (b"raise", TaskFailure.FAILED), (b"memory", TaskFailure.FAILED)],
)
async def test_a_failing_task_does_not_fail_the_others(task: bytes, failure: TaskFailure) -> None:
    async with open_pool() as pool:
        assert await pool.run([b"a", task, b"b"]) == [b"A", failure, b"B"]
        assert _failure_counts(pool) == {failure.value: 1}


async def test_printed_output_is_not_part_of_the_results(capfd: pytest.CaptureFixture[str]) -> None:
    async with open_pool() as pool:
        assert await pool.run([b"print", b"b"]) == [b"PRINT", b"B"]
    assert capfd.readouterr().out == ""


async def test_large_tasks_and_results_cause_no_deadlock() -> None:
    async with open_pool() as pool:
        results = await pool.run([b"large", b"y" * 2_000_000] * 10)
        assert [len(result) for result in results] == [5_000_000, 2_000_000] * 10


async def test_a_worker_is_reused_and_replaced_when_killed() -> None:
    async with open_pool() as pool:
        (first,), (second,) = await pool.run([b"pid"]), await pool.run([b"pid"])
        assert first == second
        os.kill(int(first), signal.SIGKILL)
        await _wait_until(lambda: not _is_running(int(first)))
        (third,) = await pool.run([b"pid"])
        assert third != first


async def test_a_workers_environment_has_no_secret_of_the_service(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MODERATION_SEAL_KEY", "secret")
    async with open_pool() as pool:
        (names,) = await pool.run([b"environment"])
    assert isinstance(names, bytes)
    assert b"PYTHONPATH" in names
    assert b"MODERATION" not in names


async def test_a_job_that_cannot_start_fails_its_tasks_and_pauses_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool_module, "START_RETRY_SECONDS", 0.0)
    async with open_pool("tests.support.worker_jobs:open_exiting") as pool:
        assert await pool.run([b"a", b"b"]) == [TaskFailure.DOWN] * 2
        began = time.process_time()
        assert await pool.run([b"a"]) == [TaskFailure.DOWN]
        assert time.process_time() - began < 0.1
        pool.job = WorkerJob(COMMANDS, TASK_CPU_SECONDS)
        pool._down_until = 0.0
        assert await pool.run([b"a"]) == [b"A"]


async def test_consecutive_deaths_pause_the_start_of_workers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool_module, "MAX_CONSECUTIVE_DEATHS", 2)
    async with open_pool() as pool:
        results = await pool.run([b"exit"] * 4)
        assert results == [TaskFailure.DIED] * 2 + [TaskFailure.DOWN] * 2


async def test_consecutive_late_tasks_do_not_pause_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "MAX_CONSECUTIVE_DEATHS", 2)
    async with open_pool() as pool:
        assert await pool.run([b"spin"] * 3 + [b"a"]) == [TaskFailure.LATE] * 3 + [b"A"]


async def test_a_cancelled_run_leaves_no_result_for_the_next() -> None:
    async with open_pool() as pool:
        await pool.run([b"a"])
        running = asyncio.create_task(pool.run([b"sleep"]))
        await asyncio.sleep(0.1)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert await pool.run([b"b"]) == [b"B"]


async def test_a_worker_ignores_stop_signals_of_its_group() -> None:
    async with open_pool() as pool:
        (pid,) = await pool.run([b"pid"])
        assert isinstance(pid, bytes)
        for stop_signal in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.kill(int(pid), stop_signal)
        assert await pool.run([b"pid"]) == [pid]
    await _wait_until(lambda: not _is_running(int(pid)))


@pytest.mark.parametrize("task", ["pid", "spin", "sleep"])
async def test_no_worker_outlives_a_killed_parent(task: str, tmp_path: Path) -> None:
    if task == "sleep" and sys.platform != "linux":
        pytest.skip("only Linux signals the end of a parent")
    script = tmp_path / "parent.py"
    script.write_text(_PARENT.format(factory=COMMANDS, task=task))
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        str(script),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert parent.stdout is not None
    worker = int(await parent.stdout.readline())
    assert _is_running(worker)

    parent.kill()
    await parent.wait()

    await _wait_until(lambda: not _is_running(worker))


@pytest.mark.parametrize(
    ("requested", "cores", "number"),
    [(None, 1, 1), (None, 2, 1), (None, 8, 7), (3, 8, 3), (9, 4, 3)],
)
def test_one_core_is_left_to_the_event_loop(requested: int | None, cores: int, number: int) -> None:
    assert worker_count(requested, cores) == number


_PARENT = """
import asyncio
from shared.kit.telemetry.noop import NoTelemetry
from shared.kit.workers.pool import WorkerPool
from shared.kit.workers.process import WorkerJob

async def main():
    pool = WorkerPool("probe", WorkerJob("{factory}", 2.0), 1, NoTelemetry())
    (pid,) = await pool.run([b"pid"])
    running = asyncio.create_task(pool.run([b"{task}"]))
    await asyncio.sleep(0.2)
    print(int(pid), flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def _failure_counts(pool: WorkerPool) -> dict[str, int]:
    assert isinstance(pool.telemetry, FailureCounter)
    return dict(pool.telemetry.reasons)


def _is_running(pid: int) -> bool:
    """Return whether a process is running; a zombie is not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


async def _wait_until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  the process is not a child of this one
            await asyncio.sleep(0.02)
