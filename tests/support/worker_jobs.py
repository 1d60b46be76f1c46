"""Worker jobs for tests: a task names a command to run; other tasks are returned in upper case."""

import os
import re
import time
from collections.abc import Callable


def open_commands() -> Callable[[bytes], bytes]:
    return run_command


def open_exiting() -> Callable[[bytes], bytes]:
    os._exit(3)


def run_command(task: bytes) -> bytes:
    command = COMMANDS.get(task)
    return command() if command is not None else task.upper()


def spin() -> bytes:
    """Hold the GIL for minutes, by a pattern with exponential backtracking."""
    return repr(re.match(r"(a+)+$", "a" * 60 + "!")).encode()


def sleep() -> bytes:
    time.sleep(60)
    return b""


def exit_process() -> bytes:
    os._exit(1)


def fail() -> bytes:
    raise ValueError("not a task")


def print_noise() -> bytes:
    print("noise on standard output")
    os.write(1, b"and past Python")
    return b"PRINT"


COMMANDS: dict[bytes, Callable[[], bytes]] = {
    b"spin": spin,
    b"sleep": sleep,
    b"exit": exit_process,
    b"raise": fail,
    b"print": print_noise,
    b"pid": lambda: str(os.getpid()).encode(),
    b"environment": lambda: ",".join(sorted(os.environ)).encode(),
    b"memory": lambda: bytes(8 << 30),
    b"large": lambda: b"x" * 5_000_000,
}
