"""Become a program that ends with its parent: `python -I -S child_process.py PARENT COMMAND…`.

A script of its own, with the standard library only. Its process id, its signals and its exit
status are the command's. Linux tells it of its parent's death; elsewhere only a tidy end does
(tests/support/programs.py).
"""

import ctypes
import os
import signal
import sys
from typing import NoReturn

PR_SET_PDEATHSIG = 1


def exec_bound_to_parent(parent: int, command: list[str]) -> NoReturn:
    """Let the kernel kill this process when its parent ends, and exec the command."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:  # the parent ended before the call above
            sys.exit(f"{parent} has ended: {' '.join(command)} is not started")
    os.execvp(command[0], command)  # noqa: S606  it becomes it


if __name__ == "__main__":
    exec_bound_to_parent(int(sys.argv[1]), sys.argv[2:])
