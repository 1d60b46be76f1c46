"""A thread pool for password hashing: fewer threads than cores, at low priority, bounded queue."""

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
"""Niceness of the threads (0 to 19), so that other requests get the processor first."""
MAX_WAITING_PER_THREAD = 80
MAX_WAITING = 160
"""Longest queue: a few seconds of work at 25 to 50 ms per password."""
MAX_WAIT_SECONDS = 5.0
"""After this time the client has probably closed the connection or will retry."""


def spare_cores() -> int:
    """Return the number of cores of this process minus one, at least one."""
    return max(1, len(os.sched_getaffinity(0)) - 1)


class HashingPool:
    """Runs functions that release the interpreter lock in a few threads."""

    def __init__(
        self, threads: int, *, max_waiting: int | None = None, max_wait: float = MAX_WAIT_SECONDS
    ) -> None:
        """Configure the pool; threads start with the first function."""
        self._threads = ThreadPoolExecutor(threads, "argon2", initializer=_lower_priority)
        default = min(MAX_WAITING, threads * MAX_WAITING_PER_THREAD)
        self._max_inside = threads + (default if max_waiting is None else max_waiting)
        self._max_wait, self._inside = max_wait, 0

    async def run(self, work: Callable[[], T]) -> T:
        """Run a function in a thread. Raises `Overloaded` if the queue is full or the wait long."""
        if self._inside >= self._max_inside:
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
        """Stop the threads; queued functions are cancelled."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _lower_priority() -> None:
    """Lower the priority of this thread (Linux has priorities per thread; other systems refuse)."""
    try:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
    except OSError:
        return
