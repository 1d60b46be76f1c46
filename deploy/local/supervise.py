"""Run one server and never let it outlive whoever started it.

A script of its own, with the standard library only: `python -I -S supervise.py '{"command": …}'`.
Its standard input is the life line: when it ends, for whatever reason (a tidy stop, a crash, a
kill -9 of the parent), the server is asked to stop, then killed. A pipe works on every system
and from every thread, where PR_SET_PDEATHSIG is Linux's and bound to the thread that forked.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import TypedDict

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_VERSION_3 = 0x20080522
# Lets a server that may not be root reach its folder below a closed one (/root, say).
KEPT = (1 << 1) | (1 << 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


class Plan(TypedDict):
    """What to run and how it must end."""

    command: list[str]
    folder: str
    environment: dict[str, str]
    user: tuple[int, int] | None  # uid and gid to become first
    stop: str  # the signal that asks for a tidy stop
    grace: float  # seconds before SIGKILL


def main(plan: Plan) -> int:
    """Run the plan to its end and return the server's exit status."""
    if plan["user"] is not None:
        _become(*plan["user"])
    stop = signal.Signals[plan["stop"]]
    server = subprocess.Popen(
        plan["command"],
        cwd=plan["folder"],
        env=plan["environment"],
        stdin=subprocess.DEVNULL,
        preexec_fn=lambda: _die_with_supervisor(stop),  # noqa: PLW1509 - there is one thread here
    )

    def ask(_signal: int = 0, _frame: FrameType | None = None) -> None:
        threading.Thread(target=_end, args=(server, stop, plan["grace"]), daemon=True).start()

    for received in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(received, ask)
    threading.Thread(target=_await_end_of_input, args=(ask,), daemon=True).start()
    return server.wait()


def _await_end_of_input(ask: Callable[[], None]) -> None:
    while os.read(0, 1024):
        pass
    ask()


def _end(server: "subprocess.Popen[bytes]", stop: signal.Signals, grace: float) -> None:
    server.send_signal(stop)
    try:
        server.wait(grace)
    except subprocess.TimeoutExpired:
        server.kill()


def _die_with_supervisor(stop: signal.Signals) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(stop), 0, 0, 0)


def _become(uid: int, gid: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    linux = sys.platform == "linux"
    if linux:
        libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if linux:
        _keep_capabilities(libc)


def _keep_capabilities(libc: ctypes.CDLL) -> None:
    """Keep those of KEPT that we have (a container may have less) through the next exec."""
    header = (ctypes.c_uint32 * 2)(CAP_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; then their upper halves
    if libc.capget(header, sets) != 0:
        return
    kept = sets[1] & KEPT
    sets[:] = [kept, kept, kept, 0, 0, 0]
    if libc.capset(header, sets) != 0:
        return
    for number in range(32):
        if kept >> number & 1:
            libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0)


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])) & 0xFF)
