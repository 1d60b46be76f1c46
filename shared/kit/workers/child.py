"""The program of a worker process: `python -P -m shared.kit.workers.child PARENT JOB MILLISECONDS`.

`JOB` is `module:function`. The function prepares the job and returns the function that runs one
task, from bytes to bytes. A frame is a length in four bytes followed by that many bytes. Tasks are
frames on standard input. Standard output has one frame when the worker is ready, then one per task:
a status byte (`SUCCEEDED` or `FAILED`), then the result or the error.

The kernel ends the process when a task exceeds its CPU time, even if it holds the GIL.
"""

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from struct import Struct
from typing import BinaryIO

SUCCEEDED, FAILED = b"\x00", b"\x01"
LENGTH = Struct(">I")
MAX_MEMORY_BYTES = 2 << 30
MAX_ERROR_CHARACTERS = 500
_PR_SET_PDEATHSIG = 1

Task = Callable[[bytes], bytes]


def encode_frame(content: bytes) -> bytes:
    """Return the content with its length before it."""
    return LENGTH.pack(len(content)) + content


def limit_process(parent: int) -> None:
    """End with the parent, ignore the group's stop signals, and limit the memory.

    Without Linux's parent-death signal, an idle worker ends when its input is closed, and a busy
    one by its timer.
    """
    # A signal to the process group addresses the service: it drains, then closes our input.
    for stop_signal in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(stop_signal, signal.SIG_IGN)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    # No core dump: it would contain members' texts.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
        if os.getppid() != parent:  # the parent ended before `prctl`
            sys.exit(1)


def run_task(run: Task, task: bytes, seconds: float) -> bytes:
    """Run a task within this CPU time; return its status byte and result or error."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        return SUCCEEDED + run(task)
    except Exception as error:  # noqa: BLE001  it is reported to the parent
        return FAILED + f"{type(error).__name__}: {error}"[:MAX_ERROR_CHARACTERS].encode()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def serve(run: Task, seconds: float, source: BinaryIO, sink: BinaryIO) -> None:
    """Write a frame when ready, then run one task after another until the input ends."""
    sink.write(encode_frame(SUCCEEDED))
    sink.flush()
    while header := source.read(LENGTH.size):
        (length,) = LENGTH.unpack(header)
        sink.write(encode_frame(run_task(run, source.read(length), seconds)))
        sink.flush()


def main(parent: str, job: str, milliseconds: str) -> None:
    """Prepare the job and serve its tasks."""
    limit_process(int(parent))
    # Output of libraries goes to standard error, so that it does not mix with the frames.
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    module, _, function = job.partition(":")
    run: Task = getattr(import_module(module), function)()
    serve(run, int(milliseconds) / 1000, sys.stdin.buffer, sink)


if __name__ == "__main__":
    main(*sys.argv[1:])
