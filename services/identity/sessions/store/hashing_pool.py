"""Threads that hash passwords, fewer than the processor has cores and below everything else."""

import asyncio
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from shared.kit.database.overload import overload_error

T = TypeVar("T")
NICENESS = 10
"""Of the threads, 0 to 19: what answers other requests goes first."""
MAX_WAITING_PER_THREAD = 80
MAX_WAITING = 160
"""Passwords that wait: a few seconds' worth at 25 to 50 ms each."""
MAX_WAIT_SECONDS = 5.0
"""A client that waited longer has gone, or will try again."""


def spare_cores() -> int:
    """Return the number of cores of this process but one, at least one."""
    return max(1, len(os.sched_getaffinity(0)) - 1)


class HashingPool:
    """Runs slow functions that release the interpreter's lock, a few at a time."""

    def __init__(
        self, threads: int, *, max_waiting: int | None = None, max_wait: float = MAX_WAIT_SECONDS
    ) -> None:
        """Describe the pool; threads start with the first function."""
        self._threads = ThreadPoolExecutor(threads, "argon2", initializer=_lower_priority)
        default = min(MAX_WAITING, threads * MAX_WAITING_PER_THREAD)
        self._most = threads + (default if max_waiting is None else max_waiting)
        self._max_wait, self._inside = max_wait, 0

    async def run(self, work: Callable[[], T]) -> T:
        """Run a function in a thread. Raises `Overloaded` when too many wait, or it waited long."""
        if self._inside >= self._most:
            raise overload_error("passwords_waiting")
        latest = time.monotonic() + self._max_wait

        def in_time() -> T:
            if time.monotonic() > latest:
                raise overload_error("passwords_waiting")
            return work()

        self._inside += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, in_time)
        finally:
            self._inside -= 1

    async def close(self) -> None:
        """Stop the threads; what waits is not run."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _lower_priority() -> None:
    """Put this thread below the others; Linux knows priorities of threads, others refuse."""
    try:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
    except OSError:
        return
