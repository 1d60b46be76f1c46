"""Jobs of the tests: what a task says is done, whatever it is."""

import os
import re
import time
from collections.abc import Callable


def open_obeying() -> Callable[[bytes], bytes]:
    return obey


def open_dying() -> Callable[[bytes], bytes]:
    os._exit(3)


def obey(task: bytes) -> bytes:
    deed = DEEDS.get(task)
    return deed() if deed is not None else task.upper()


def spin() -> bytes:
    """Hold the GIL for minutes, as a pattern does that tries everything."""
    return repr(re.match(r"(a+)+$", "a" * 60 + "!")).encode()


def sleep() -> bytes:
    time.sleep(60)
    return b""


def die() -> bytes:
    os._exit(1)


def fail() -> bytes:
    raise ValueError("not a task")


def make_noise() -> bytes:
    print("noise on standard output")
    os.write(1, b"and past Python")
    return b"PRINT"


DEEDS: dict[bytes, Callable[[], bytes]] = {
    b"spin": spin,
    b"sleep": sleep,
    b"die": die,
    b"raise": fail,
    b"print": make_noise,
    b"pid": lambda: str(os.getpid()).encode(),
    b"environment": lambda: ",".join(sorted(os.environ)).encode(),
    b"memory": lambda: bytes(8 << 30),
    b"large": lambda: b"x" * 5_000_000,
}
