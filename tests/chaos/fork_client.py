"""Client of the fork server: starts pods and receives their exit statuses."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.programs import start_child
from tests.support.stack_process import REPOSITORY


@dataclass
class ForkedProcess:
    """A pod's process."""

    pid: int
    control: int
    """Writes to its standard input."""
    returncode: int | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait(self) -> int:
        """Wait for its end and give its exit status; a signal's number is negative."""
        await self.ended.wait()
        assert self.returncode is not None
        return self.returncode

    def mark_ended(self, status: int) -> None:
        """Record the exit status and wake the waiting tasks."""
        self.returncode = status
        os.close(self.control)
        self.ended.set()

    def send_command(self, command: Mapping[str, object]) -> None:
        """Write a line to it, if it is there to read."""
        if self.returncode is None:
            with contextlib.suppress(OSError):
                os.write(self.control, (json.dumps(command) + "\n").encode())

    def send_signal(self, which: signal.Signals) -> None:
        """Send a signal, unless the process has ended."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, which)


@dataclass
class ForkServer:
    """A connection to the fork server; one start at a time."""

    process: Process
    children: dict[int, ForkedProcess] = field(default_factory=dict)
    _started_pids: "asyncio.Queue[int | None]" = field(default_factory=asyncio.Queue)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def fork(
        self, name: str, arguments: Sequence[str], environment: Mapping[str, str], log: Path
    ) -> ForkedProcess:
        """Start a pod."""
        assert self.process.stdin is not None
        async with self._lock:
            control = log.with_name(f"{name}.control")
            control.unlink(missing_ok=True)
            os.mkfifo(control)
            # For both ends: opening to write alone waits for a reader. Nobody inherits it.
            descriptor = os.open(control, os.O_RDWR)
            request = {
                "name": name,
                "arguments": list(arguments),
                "environment": dict(environment),
                "log": str(log),
                "control": str(control),
            }
            self.process.stdin.write((json.dumps(request) + "\n").encode())
            pid = await self._started_pids.get()
            if pid is None:
                raise RuntimeError("the fork server has ended")
            process = self.children[pid] = ForkedProcess(pid, descriptor)
            return process

    async def read_events(self) -> None:
        """Read the fork server's events until its output ends."""
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            event = json.loads(line)
            if "pid" in event:
                self._started_pids.put_nowait(event["pid"])
            elif "died" in event:
                while event["died"] not in self.children:  # noqa: ASYNC110  its start is not yet recorded
                    await asyncio.sleep(0.01)
                self.children.pop(event["died"]).mark_ended(event["status"])
        # The pods end with the fork server: mark all as ended and let waiting starts fail.
        for child in self.children.values():
            child.mark_ended(-signal.SIGKILL)
        self._started_pids.put_nowait(None)


@asynccontextmanager
async def start_fork_server() -> AsyncIterator[ForkServer]:
    """Run a fork server; its pods end with the block."""
    process = await start_child(
        *(sys.executable, "-m", "tests.chaos.fork_server"),
        cwd=REPOSITORY,
        stdin=PIPE,
        stdout=PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    server, reader = ForkServer(process), None
    try:
        await process.stdout.readline()
        reader = asyncio.create_task(server.read_events())
        yield server
    finally:
        process.stdin.close()
        await process.wait()
        if reader is not None:
            await reader
