"""A few worker processes that answer tasks, each task within a deadline of its own."""

import asyncio
import os
import time
from collections import deque
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from shared.kit.core.host import Telemetry
from shared.kit.telemetry.logs import get_logger
from shared.kit.workers.process import CannotStartWorker, TaskFailure, TaskResult, Worker, WorkerJob

log = get_logger("workers")
CHUNK_TASKS = 16
"""Tasks handed to a worker at once: it need not wait for us between two of them."""
MAX_START_FAILURES = 3
START_PAUSE_SECONDS = 0.5
MAX_DEATHS = 10
"""Deaths in a row, with no answer between them, that are no longer the fault of the tasks."""
DOWN_SECONDS = 10.0
"""How long all tasks are answered by `Lost.DOWN` after that."""


def usable_core_count() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def worker_count(wished: int | None, cores: int) -> int:
    """Return how many workers to run; of several cores one is left to the event loop."""
    most = max(1, cores - 1)
    return most if wished is None else min(wished, most)


@dataclass
class WorkerPool:
    """Runs up to `size` workers, started when they are first needed and replaced when they end.

    `name` is the label of its metrics. Never raises for what a task does; a task without an answer
    gets a `Lost`, and the others their answers.
    """

    name: str
    job: WorkerJob
    size: int
    telemetry: Telemetry
    _idle: list[Worker] = field(default_factory=list)
    _busy: set[Worker] = field(default_factory=set)
    _deaths: int = 0
    _down_until: float = 0.0
    _slots: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.size)

    async def run(self, tasks: Sequence[bytes]) -> list[TaskResult]:
        """Answer these tasks, in their order, by all workers at once."""
        answers: list[TaskResult] = [TaskFailure.DOWN] * len(tasks)
        chunk = max(1, min(CHUNK_TASKS, -(-len(tasks) // self.size)))
        waiting = deque(
            list(range(begin, min(begin + chunk, len(tasks))))
            for begin in range(0, len(tasks), chunk)
        )
        async with asyncio.TaskGroup() as group:
            for _ in range(min(self.size, len(waiting))):
                group.create_task(self._work_off(tasks, waiting, answers))
        return answers

    async def close(self) -> None:
        """End all workers."""
        workers = [*self._idle, *self._busy]
        self._idle.clear()
        await asyncio.gather(*(worker.stop() for worker in workers))

    async def _work_off(
        self, tasks: Sequence[bytes], waiting: deque[list[int]], answers: list[TaskResult]
    ) -> None:
        async with self._slots:
            while waiting:
                chunk = waiting.popleft()
                worker = await self._worker()
                if worker is None:
                    self._count(TaskFailure.DOWN, len(chunk))
                    continue
                rest = await self._ask(worker, chunk, tasks, answers)
                if rest:
                    waiting.appendleft(rest)

    async def _ask(
        self, worker: Worker, chunk: list[int], tasks: Sequence[bytes], answers: list[TaskResult]
    ) -> list[int]:
        """Let a worker answer these tasks; give those that it never began."""
        self._busy.add(worker)
        done = 0
        try:
            async with aclosing(worker.results([tasks[index] for index in chunk])) as arriving:
                async for answer in arriving:
                    answers[chunk[done]] = answer
                    done += 1
                    if isinstance(answer, TaskFailure):
                        self._record_loss(answer, worker)
                    else:
                        self._deaths = 0
        except BaseException:
            # Cancelled: what it would still answer must not be taken for answers to other tasks.
            await worker.kill()
            raise
        finally:
            self._busy.discard(worker)
        if not worker.has_exited:
            self._idle.append(worker)
        return chunk[done:]

    async def _worker(self) -> Worker | None:
        """Take an idle worker, or start one; None while none can be started."""
        while self._idle:
            worker = self._idle.pop()
            if not worker.has_exited:
                return worker
        failures = 0
        while time.monotonic() >= self._down_until:
            try:
                return await Worker.start(self.job)
            except CannotStartWorker as error:
                failures += 1
                log.warning("no worker", pool=self.name, error=str(error))
                if failures == MAX_START_FAILURES:
                    self._go_down(str(error))
                else:
                    await asyncio.sleep(START_PAUSE_SECONDS * failures)
        return None

    def _record_loss(self, lost: TaskFailure, worker: Worker) -> None:
        self._count(lost)
        why = worker.last_error if lost is TaskFailure.FAILED else ""
        log.warning("task without an answer", pool=self.name, reason=lost.value, error=why)
        if lost is TaskFailure.DIED:
            self._deaths += 1
            if self._deaths >= MAX_DEATHS:
                self._go_down("worker after worker ends")

    def _go_down(self, why: str) -> None:
        self._deaths = 0
        self._down_until = time.monotonic() + DOWN_SECONDS
        log.error("no workers for a while", pool=self.name, seconds=DOWN_SECONDS, error=why)

    def _count(self, lost: TaskFailure, number: int = 1) -> None:
        self.telemetry.count("preau.worker.lost", number, pool=self.name, reason=lost.value)
