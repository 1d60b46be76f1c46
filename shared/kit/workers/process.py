"""One worker process, as the service that started it sees it."""

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

START_SECONDS = 30.0
"""For starting Python and opening the job, on a machine that is busy."""
STOP_SECONDS = 1.0
READ_BYTES = 1 << 18
WALL_TIMES = 5
"""A worker that used no processor time is given up after so many times what a task may use."""
WALL_SPARE_SECONDS = 1.0
_INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "SYSTEMROOT")


class TaskFailure(StrEnum):
    """Why there is no answer to a task."""

    LATE = "late"
    """It took more time than it may, and its worker was ended."""
    DIED = "died"
    """Its worker ended while it had the task."""
    FAILED = "failed"
    """It raised an error; the worker goes on."""
    DOWN = "down"
    """No worker can be started at present."""


TaskResult = bytes | TaskFailure


class CannotStartWorker(Exception):
    """A worker ended, or said nothing, before it was ready."""


@dataclass(frozen=True, slots=True)
class WorkerJob:
    """What workers do: `opener` is `module:function`, see `child`; time is the processor's."""

    factory: str
    task_cpu_seconds: float


class Worker:
    """A running worker. One caller at a time."""

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
            await worker._read(START_SECONDS)
        except (TimeoutError, EOFError, OSError) as error:
            await worker.kill()
            raise CannotStartWorker(f"{job.factory}: {error!r}") from error
        except BaseException:
            await worker.kill()
            raise
        return worker

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def has_exited(self) -> bool:
        """Return whether the process is no more."""
        return self._process.returncode is not None

    async def results(self, tasks: Sequence[bytes]) -> AsyncGenerator[TaskResult, None]:
        """Return the answers to these tasks, in order; after `LATE` or `DIED` there are no more.

        The worker has ended then.
        """
        assert self._process.stdin is not None  # noqa: S101  it was started with a pipe
        # Not drained: while we waited for it to read, it could be waiting for us to.
        self._process.stdin.writelines([encode_frame(task) for task in tasks])
        wall_seconds = self._job.task_cpu_seconds * WALL_TIMES + WALL_SPARE_SECONDS
        for _ in tasks:
            try:
                content = await self._read(wall_seconds)
            except TimeoutError:
                await self.kill()
                yield TaskFailure.LATE
                return
            except (EOFError, OSError):
                await self.kill()
                late = self._process.returncode == -signal.SIGPROF
                yield TaskFailure.LATE if late else TaskFailure.DIED
                return
            if content[:1] == SUCCEEDED:
                yield content[1:]
            else:
                self.last_error = content[1:].decode(errors="replace")
                yield TaskFailure.FAILED

    async def stop(self) -> None:
        """Let it end by itself, else end it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
        await self.kill()

    async def kill(self) -> None:
        """End it now, and collect it. What ended already is only collected."""
        if self._process.returncode is None:
            # It may have ended a moment ago: its status says by what.
            with suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), 0.05)
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()
        await self._process.wait()

    async def _read(self, seconds: float) -> bytes:
        """Return the next frame. Raises TimeoutError, and EOFError when the process has ended."""
        frame = self._next_frame()
        while frame is None:
            # Only here: most frames came together with one before, and need no timer.
            async with asyncio.timeout(seconds):
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
    """Return a worker what Python needs, and none of the service's secrets."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**inherited, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
