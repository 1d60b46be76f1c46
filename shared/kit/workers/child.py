"""The program of a worker process: `python -P -m shared.kit.workers.child PARENT JOB MILLISECONDS`.

`JOB` is `module:function`; the function opens what the work needs and gives what does one task,
from bytes to bytes. A frame is its length in four bytes, then so many bytes. Tasks come on
standard input. On standard output go one frame when the worker is ready, then one for each task:
a byte that says how it ended (`SUCCEEDED` or `FAILED`), and the answer or the error.

A task that takes more processor time than it may is ended by the kernel, whatever it holds.
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
    """Put its length before it."""
    return LENGTH.pack(len(content)) + content


def limit_process(parent: int) -> None:
    """End with the parent, leave signals of the group to it, and take no more memory than allowed.

    Where there is no Linux, an idle worker ends when its input is closed, and a busy one by its
    timer.
    """
    # A signal to the whole group means the service: it drains first, and then closes our input.
    for stop in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(stop, signal.SIG_IGN)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    # A core would hold texts of people.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
        if os.getppid() != parent:  # it ended before it was asked for
            sys.exit(1)


def run_task(work: Task, task: bytes, seconds: float) -> bytes:
    """Do one task within so much processor time of this process."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        return SUCCEEDED + work(task)
    except Exception as error:  # noqa: BLE001  whatever it is, it is the answer
        return FAILED + f"{type(error).__name__}: {error}"[:MAX_ERROR_CHARACTERS].encode()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def serve(work: Task, seconds: float, source: BinaryIO, sink: BinaryIO) -> None:
    """Answer task after task, until there are none."""
    sink.write(encode_frame(SUCCEEDED))
    sink.flush()
    while header := source.read(LENGTH.size):
        (length,) = LENGTH.unpack(header)
        sink.write(encode_frame(run_task(work, source.read(length), seconds)))
        sink.flush()


def main(parent: str, job: str, milliseconds: str) -> None:
    """Open the job and serve it."""
    limit_process(int(parent))
    # What a library prints must not stand among the answers.
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    module, _, function = job.partition(":")
    work: Task = getattr(import_module(module), function)()
    serve(work, int(milliseconds) / 1000, sys.stdin.buffer, sink)


if __name__ == "__main__":
    main(*sys.argv[1:])
