"""Worker processes: each task is answered or lost for a reason; none outlives its parent."""

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
from shared.kit.workers import pool as pools
from shared.kit.workers.pool import WorkerPool, worker_count
from shared.kit.workers.process import TaskFailure, WorkerJob

OBEYING = "tests.support.worker_jobs:open_obeying"
TASK_SECONDS = 0.5


class Losses(NoTelemetry):
    """Keeps what was lost, by reason."""

    def __init__(self) -> None:
        self.reasons: Counter[str] = Counter()

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        assert name == "preau.worker.lost"
        self.reasons[labels["reason"]] += int(amount)


@asynccontextmanager
async def a_pool(opener: str = OBEYING, size: int = 1) -> AsyncIterator[WorkerPool]:
    pool = WorkerPool("probe", WorkerJob(opener, TASK_SECONDS), size, Losses())
    try:
        yield pool
    finally:
        await pool.close()


@pytest.mark.parametrize("size", [1, 2])
async def test_tasks_are_answered_in_their_order(size: int) -> None:
    tasks = [f"n{number}".encode() for number in range(100)]
    async with a_pool(size=size) as pool:
        assert await pool.run(tasks) == [task.upper() for task in tasks]
        assert await pool.run([]) == []


async def test_a_task_that_spins_is_late_and_the_others_are_answered() -> None:
    async with a_pool() as pool:
        answers = await pool.run([b"a", b"spin", b"b", b"c"])
        assert answers == [b"A", TaskFailure.LATE, b"B", b"C"]
        assert _losses(pool) == {"late": 1}


async def test_the_event_loop_goes_on_while_a_task_holds_the_gil() -> None:
    async with a_pool() as pool:
        await pool.run([b"a"])
        working = asyncio.create_task(pool.run([b"spin"]))
        delays = []
        while not working.done():
            began = time.thread_time()
            await asyncio.sleep(0.01)
            delays.append(time.thread_time() - began)
        assert await working == [TaskFailure.LATE]
        assert len(delays) > 5
        assert max(delays) < 0.5


async def test_a_task_that_sleeps_is_late_though_it_uses_no_processor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.kit.workers.process.WALL_SPARE_SECONDS", 0.0)
    monkeypatch.setattr("shared.kit.workers.process.WALL_TIMES", 2)
    async with a_pool() as pool:
        assert await pool.run([b"sleep", b"b"]) == [TaskFailure.LATE, b"B"]


@pytest.mark.parametrize(
    ("task", "lost"),
    [(b"die", TaskFailure.DIED), (b"raise", TaskFailure.FAILED), (b"memory", TaskFailure.FAILED)],
)
async def test_a_task_that_fails_or_ends_its_worker_is_lost_alone(
    task: bytes, lost: TaskFailure
) -> None:
    async with a_pool() as pool:
        assert await pool.run([b"a", task, b"b"]) == [b"A", lost, b"B"]
        assert _losses(pool) == {lost.value: 1}


async def test_what_a_task_prints_is_no_answer(capfd: pytest.CaptureFixture[str]) -> None:
    async with a_pool() as pool:
        assert await pool.run([b"print", b"b"]) == [b"PRINT", b"B"]
    assert capfd.readouterr().out == ""


async def test_many_large_tasks_and_answers_do_not_block_each_other() -> None:
    async with a_pool() as pool:
        answers = await pool.run([b"large", b"y" * 2_000_000] * 10)
        assert [len(each) for each in answers] == [5_000_000, 2_000_000] * 10


async def test_one_worker_is_used_again_and_replaced_when_it_was_killed() -> None:
    async with a_pool() as pool:
        (first,), (second,) = await pool.run([b"pid"]), await pool.run([b"pid"])
        assert first == second
        os.kill(int(first), signal.SIGKILL)
        await _until(lambda: not _runs(int(first)))
        (third,) = await pool.run([b"pid"])
        assert third != first


async def test_a_worker_has_no_secret_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODERATION_SEAL_KEY", "secret")
    async with a_pool() as pool:
        (names,) = await pool.run([b"environment"])
    assert isinstance(names, bytes)
    assert b"PYTHONPATH" in names
    assert b"MODERATION" not in names


async def test_a_job_that_cannot_be_opened_loses_its_tasks_and_is_not_tried_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pools, "START_PAUSE_SECONDS", 0.0)
    async with a_pool("tests.support.worker_jobs:open_dying") as pool:
        assert await pool.run([b"a", b"b"]) == [TaskFailure.DOWN] * 2
        began = time.process_time()
        assert await pool.run([b"a"]) == [TaskFailure.DOWN]
        assert time.process_time() - began < 0.1
        pool.job = WorkerJob(OBEYING, TASK_SECONDS)
        pool._down_until = 0.0
        assert await pool.run([b"a"]) == [b"A"]


async def test_workers_that_end_again_and_again_are_given_up_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pools, "MAX_DEATHS", 2)
    async with a_pool() as pool:
        answers = await pool.run([b"die"] * 4)
        assert answers == [TaskFailure.DIED] * 2 + [TaskFailure.DOWN] * 2


async def test_late_tasks_in_a_row_do_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "MAX_DEATHS", 2)
    async with a_pool() as pool:
        assert await pool.run([b"spin"] * 3 + [b"a"]) == [TaskFailure.LATE] * 3 + [b"A"]


async def test_a_run_that_is_cancelled_leaves_no_answer_behind() -> None:
    async with a_pool() as pool:
        await pool.run([b"a"])
        working = asyncio.create_task(pool.run([b"sleep"]))
        await asyncio.sleep(0.1)
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working
        assert await pool.run([b"b"]) == [b"B"]


async def test_a_signal_to_the_group_is_left_to_the_service() -> None:
    async with a_pool() as pool:
        (pid,) = await pool.run([b"pid"])
        assert isinstance(pid, bytes)
        for told in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.kill(int(pid), told)
        assert await pool.run([b"pid"]) == [pid]
    await _until(lambda: not _runs(int(pid)))


@pytest.mark.parametrize("task", ["pid", "spin", "sleep"])
async def test_no_worker_outlives_a_parent_that_is_killed(task: str, tmp_path: Path) -> None:
    if task == "sleep" and sys.platform != "linux":
        pytest.skip("only Linux tells a process of its parent's end")
    script = tmp_path / "parent.py"
    script.write_text(_PARENT.format(opener=OBEYING, task=task))
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        str(script),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert parent.stdout is not None
    worker = int(await parent.stdout.readline())
    assert _runs(worker)

    parent.kill()
    await parent.wait()

    await _until(lambda: not _runs(worker))


@pytest.mark.parametrize(
    ("wished", "cores", "number"), [(None, 1, 1), (None, 2, 1), (None, 8, 7), (3, 8, 3), (9, 4, 3)]
)
def test_one_core_is_left_to_the_event_loop(wished: int | None, cores: int, number: int) -> None:
    assert worker_count(wished, cores) == number


_PARENT = """
import asyncio
from shared.kit.telemetry.noop import NoTelemetry
from shared.kit.workers.pool import WorkerPool
from shared.kit.workers.process import Job

async def main():
    pool = WorkerPool("probe", Job("{opener}", 2.0), 1, NoTelemetry())
    (pid,) = await pool.run([b"pid"])
    working = asyncio.create_task(pool.run([b"{task}"]))
    await asyncio.sleep(0.2)
    print(int(pid), flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def _losses(pool: WorkerPool) -> dict[str, int]:
    assert isinstance(pool.telemetry, Losses)
    return dict(pool.telemetry.reasons)


def _runs(pid: int) -> bool:
    """Return whether a process runs; one that ended and was not collected does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110  a process tells nobody that it ended
            await asyncio.sleep(0.02)
