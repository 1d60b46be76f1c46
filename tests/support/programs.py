"""Programs that start child processes: the children end with them, also after SIGKILL.

`run_program` runs the program: a stop signal cancels it, so that its `finally` and `async with`
blocks run. `start_child` and `stop_child` are for its children.
"""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, TypeVar

CHILD_SCRIPT = Path(__file__).with_name("child_process.py")
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
SHUTDOWN_TIMEOUT_SECONDS = 150.0
"""Seconds for leaving tidily: a pod's minute, then a server's twenty, and some."""
Result = TypeVar("Result")
Stream = int | IO[bytes] | None


def run_program(
    work: Coroutine[Any, Any, Result],
    loop: Callable[[], asyncio.AbstractEventLoop] | None = None,
    timeout_seconds: float = SHUTDOWN_TIMEOUT_SECONDS,
) -> Result:
    """Run a coroutine; on a stop signal cancel it, wait for its cleanup, and exit with 128 + n.

    Only the first signal counts: a second must not interrupt the cleanup. After `timeout_seconds`
    the process exits without it.
    """
    received_signals: list[int] = []
    with asyncio.Runner(loop_factory=loop) as runner:
        try:
            result = runner.run(_run_until_signalled(work, received_signals, timeout_seconds))
        except asyncio.CancelledError:
            if received_signals:
                raise SystemExit(128 + received_signals[0]) from None
            raise
    if received_signals:  # it was done all the same
        raise SystemExit(128 + received_signals[0])
    return result


async def _run_until_signalled(
    work: Coroutine[Any, Any, Result], received_signals: list[int], timeout_seconds: float
) -> Result:
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)

    def stop(received: signal.Signals) -> None:
        if not received_signals:
            received_signals.append(received)
            loop.call_later(timeout_seconds, os._exit, 128 + received)
            task.cancel()

    for received in STOP_SIGNALS:
        loop.add_signal_handler(received, stop, received)
    return await task


def bound_to_parent(*command: str) -> tuple[str, ...]:
    """Return the command that starts a program which is killed when the calling thread ends."""
    return (sys.executable, "-I", "-S", str(CHILD_SCRIPT), str(os.getpid()), *command)


async def start_child(
    *command: str,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    stdin: Stream = asyncio.subprocess.DEVNULL,
    stdout: Stream = None,
    stderr: Stream = None,
) -> Process:
    """Start a child that is killed when this process ends; call it from the main thread.

    Ctrl-C in the terminal reaches us only: we end them in our order.
    """
    return await asyncio.create_subprocess_exec(
        *bound_to_parent(*command),
        cwd=cwd,
        env=env,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
    )


async def stop_child(process: Process, grace_seconds: float) -> bool:
    """Terminate a child, kill it after `grace_seconds`, and wait for its exit. False if killed."""
    with suppress(ProcessLookupError):  # it has ended by itself
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), grace_seconds)
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        return False
    return True
