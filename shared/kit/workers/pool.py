"""A pool of worker processes that run tasks, each task within its own time limit."""

import asyncio
import os
import time
from collections import deque
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from shared.kit.core.host import Telemetry
from shared.kit.telemetry.logs import get_logger
from shared.kit.workers.process import (
    CannotStartWorker,
    TaskFailure,
    TaskResult,
    Worker,
    WorkerJob,
)

log = get_logger("workers")
CHUNK_TASKS = 16
"""Tasks sent to a worker at once, so that it does not wait for this process between them."""
MAX_START_FAILURES = 3
START_RETRY_SECONDS = 0.5
MAX_CONSECUTIVE_DEATHS = 10
"""Deaths without a result between them, after which the tasks are no longer blamed."""
DOWN_SECONDS = 10.0
"""How long the pool starts no worker after that: each task gets `TaskFailure.DOWN`."""


def usable_core_count() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def worker_count(requested: int | None, cores: int) -> int:
    """Return how many workers to run; with several cores, one is left to the event loop."""
    maximum = max(1, cores - 1)
    return maximum if requested is None else min(requested, maximum)


@dataclass
class WorkerPool:
    """Runs up to `size` workers: starts a worker on demand, and replaces one that has exited.

    `name` is the label of its metrics. No error of a task is raised: a task without a result gets a
    `TaskFailure`, and the others get their results.
    """

    name: str
    job: WorkerJob
    size: int
    telemetry: Telemetry
    _idle: list[Worker] = field(default_factory=list)
    _busy: set[Worker] = field(default_factory=set)
    _consecutive_deaths: int = 0
    _down_until: float = 0.0
    _slots: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.size)

    async def run(self, tasks: Sequence[bytes]) -> list[TaskResult]:
        """Run these tasks on all workers; return their results in order."""
        results: list[TaskResult] = [TaskFailure.DOWN] * len(tasks)
        chunk_size = max(1, min(CHUNK_TASKS, -(-len(tasks) // self.size)))
        queue = deque(
            list(range(begin, min(begin + chunk_size, len(tasks))))
            for begin in range(0, len(tasks), chunk_size)
        )
        async with asyncio.TaskGroup() as group:
            for _ in range(min(self.size, len(queue))):
                group.create_task(self._run_queue(tasks, queue, results))
        return results

    async def close(self) -> None:
        """Stop the workers, idle and busy."""
        workers = [*self._idle, *self._busy]
        self._idle.clear()
        await asyncio.gather(*(worker.stop() for worker in workers))

    async def _run_queue(
        self, tasks: Sequence[bytes], queue: deque[list[int]], results: list[TaskResult]
    ) -> None:
        async with self._slots:
            while queue:
                chunk = queue.popleft()
                worker = await self._acquire_worker()
                if worker is None:
                    self._count(TaskFailure.DOWN, len(chunk))
                    continue
                not_started = await self._run_chunk(worker, chunk, tasks, results)
                if not_started:
                    queue.appendleft(not_started)

    async def _run_chunk(
        self, worker: Worker, chunk: list[int], tasks: Sequence[bytes], results: list[TaskResult]
    ) -> list[int]:
        """Run these tasks on a worker; return the indexes of tasks that it did not start."""
        self._busy.add(worker)
        finished = 0
        try:
            async with aclosing(worker.results([tasks[index] for index in chunk])) as arriving:
                async for result in arriving:
                    results[chunk[finished]] = result
                    finished += 1
                    if isinstance(result, TaskFailure):
                        self._record_failure(result, worker)
                    else:
                        self._consecutive_deaths = 0
        except BaseException:
            # Cancelled: kill the worker, or its late results would be read as those of other tasks.
            await worker.kill()
            raise
        finally:
            self._busy.discard(worker)
        if not worker.has_exited:
            self._idle.append(worker)
        return chunk[finished:]

    async def _acquire_worker(self) -> Worker | None:
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
                    self._pause_starts(str(error))
                else:
                    await asyncio.sleep(START_RETRY_SECONDS * failures)
        return None

    def _record_failure(self, failure: TaskFailure, worker: Worker) -> None:
        self._count(failure)
        error = worker.last_error if failure is TaskFailure.FAILED else ""
        log.warning("task without a result", pool=self.name, reason=failure.value, error=error)
        if failure is TaskFailure.DIED:
            self._consecutive_deaths += 1
            if self._consecutive_deaths >= MAX_CONSECUTIVE_DEATHS:
                self._pause_starts("workers end one after another")

    def _pause_starts(self, error: str) -> None:
        self._consecutive_deaths = 0
        self._down_until = time.monotonic() + DOWN_SECONDS
        log.error("no workers for a while", pool=self.name, seconds=DOWN_SECONDS, error=error)

    def _count(self, failure: TaskFailure, number: int = 1) -> None:
        self.telemetry.count("preau.worker.lost", number, pool=self.name, reason=failure.value)
