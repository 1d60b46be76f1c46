"""Adaptive pause for polling loops, so that records that arrive one by one form larger batches.

A batch of one record costs the same round trips as a batch of a thousand. After a partial batch, a
loop sleeps as long as the batch took (10 ms at most), so that the next batch is larger. After a
full batch it does not sleep, and a record that arrives after a longer idle time does not wait.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

MAX_PAUSE_SECONDS = 0.01


@dataclass
class AdaptivePause:
    """Measures the work of one polling loop and pauses it; not shared between loops."""

    monotonic: Callable[[], float] = time.monotonic
    sleep_for: Callable[[float], Awaitable[None]] = asyncio.sleep
    _pause_until: float = 0.0

    @contextmanager
    def measure(self) -> Iterator[None]:
        """Measure the duration of the work in this block, whether it fails or not."""
        started_at = self.monotonic()
        try:
            yield
        finally:
            now = self.monotonic()
            self._pause_until = now + min(MAX_PAUSE_SECONDS, now - started_at)

    async def sleep(self) -> None:
        """Sleep for the rest of the pause that the last measured work requires."""
        remaining = self._pause_until - self.monotonic()
        if remaining > 0:
            await self.sleep_for(remaining)
