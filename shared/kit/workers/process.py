"""One worker process, as its parent controls it."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from shared.kit.workers.child import LENGTH, SUCCEEDED, encode_frame

START_TIMEOUT_SECONDS = 30.0
"""Time to start Python and prepare the job on a busy machine."""
STOP_TIMEOUT_SECONDS = 1.0
READ_BYTES = 1 << 18
WALL_TIME_FACTOR = 5
WALL_TIME_MARGIN_SECONDS = 1.0
"""A task that uses no CPU is ended after `WALL_TIME_FACTOR` × its CPU time + this margin."""
_EXIT_STATUS_SECONDS = 0.05
_INHERITED_VARIABLES = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "SYSTEMROOT")


class TaskFailure(StrEnum):
    """Why a task has no result."""

    LATE = "late"
    """It exceeded its time, and its worker was ended."""
    DIED = "died"
    """Its worker ended while running it."""
    FAILED = "failed"
    """It raised an error; the worker continues."""
    DOWN = "down"
    """No worker can be started at present."""


TaskResult = bytes | TaskFailure


class CannotStartWorker(Exception):
    """A worker ended, or was silent too long, before it was ready."""


@dataclass(frozen=True, slots=True)
class WorkerJob:
    """What workers run: `factory` is `module:function`, see `child`; each task has a CPU limit."""

    factory: str
    task_cpu_seconds: float


class Worker:
    """A running worker; for one caller at a time."""

    def __init__(self, process: Process, job: WorkerJob) -> None:
        self._process, self._job = process, job
        self._received = bytearray()
        self.last_error = ""

    @classmethod
    async def start(cls, job: WorkerJob) -> "Worker":
        """Start a process and wait until it is ready. Raises `CannotStartWorker`."""
        arguments = (str(os.getpid()), job.factory, str(round(job.task_cpu_seconds * 1000)))
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                f"{__package__}.child",
                *arguments,
                stdin=PIPE,
                stdout=PIPE,
                env=_environment(),
            )
        except OSError as error:
            raise CannotStartWorker(str(error)) from error
        worker = cls(process, job)
        try:
            await worker._read(START_TIMEOUT_SECONDS)
        except (TimeoutError, EOFError, OSError) as error:
            await worker.kill()
            raise CannotStartWorker(f"{job.factory}: {error!r}") from error
        except BaseException:
            await worker.kill()
            raise
        return worker

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def has_exited(self) -> bool:
        """Whether the process has ended."""
        return self._process.returncode is not None

    async def results(self, tasks: Sequence[bytes]) -> AsyncGenerator[TaskResult, None]:
        """Yield the results of these tasks, in order; `LATE` or `DIED` is the last one.

        The worker has exited then.
        """
        assert self._process.stdin is not None  # noqa: S101  it was started with a pipe
        # Not drained: waiting for the worker to read could deadlock with it waiting for us to read.
        self._process.stdin.writelines([encode_frame(task) for task in tasks])
        wall_seconds = self._job.task_cpu_seconds * WALL_TIME_FACTOR + WALL_TIME_MARGIN_SECONDS
        for _ in tasks:
            try:
                content = await self._read(wall_seconds)
            except TimeoutError:
                await self.kill()
                yield TaskFailure.LATE
                return
            except (EOFError, OSError):
                await self.kill()
                is_late = self._process.returncode == -signal.SIGPROF
                yield TaskFailure.LATE if is_late else TaskFailure.DIED
                return
            if content[:1] == SUCCEEDED:
                yield content[1:]
            else:
                self.last_error = content[1:].decode(errors="replace")
                yield TaskFailure.FAILED

    async def stop(self) -> None:
        """Close the worker's input, wait up to `STOP_TIMEOUT_SECONDS`, then kill it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), STOP_TIMEOUT_SECONDS)
        await self.kill()

    async def kill(self) -> None:
        """Kill the process if it still runs, and collect its exit status."""
        if self._process.returncode is None:
            # A process that has just ended by itself: its exit status says why.
            with suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), _EXIT_STATUS_SECONDS)
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()
        await self._process.wait()

    async def _read(self, timeout_seconds: float) -> bytes:
        """Return the next frame. Raises TimeoutError, and EOFError when the process has ended."""
        frame = self._next_frame()
        while frame is None:
            # A timer only here: most frames arrive together with another one.
            async with asyncio.timeout(timeout_seconds):
                await self._receive()
            frame = self._next_frame()
        return frame

    async def _receive(self) -> None:
        assert self._process.stdout is not None  # noqa: S101  it was started with a pipe
        received = await self._process.stdout.read(READ_BYTES)
        if not received:
            raise EOFError
        self._received += received

    def _next_frame(self) -> bytes | None:
        received = self._received
        if len(received) < LENGTH.size:
            return None
        end = LENGTH.size + LENGTH.unpack_from(received)[0]
        if len(received) < end:
            return None
        frame = bytes(received[LENGTH.size : end])
        del received[:end]
        return frame


def _environment() -> dict[str, str]:
    """Return the environment of a worker: what Python needs, and none of the service's secrets."""
    inherited = {name: os.environ[name] for name in _INHERITED_VARIABLES if name in os.environ}
    return {**inherited, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
