"""The rest between two batches that are not full: as long as the first one took.

What comes one by one costs most when it is handled one by one: the round trips of a batch of one
are those of a batch of a thousand. A reader or relay that rests as long as it worked leaves half of
the time to others, and finds more at once the busier the process is. What comes after a pause does
not wait; neither does who is behind, whose batches are full.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

MAX_PAUSE_SECONDS = 0.01
"""Seconds that a rest may take."""


@dataclass
class AdaptivePause:
    """The work and rest of one who handles batches."""

    monotonic: Callable[[], float] = time.monotonic
    sleep_for: Callable[[float], Awaitable[None]] = asyncio.sleep
    _until: float = 0.0

    @contextmanager
    def measure(self) -> Iterator[None]:
        """Note how long what is done inside takes."""
        began = self.monotonic()
        try:
            yield
        finally:
            now = self.monotonic()
            self._until = now + min(MAX_PAUSE_SECONDS, now - began)

    async def sleep(self) -> None:
        """Wait for what is left of the rest that the last work calls for."""
        left = self._until - self.monotonic()
        if left > 0:
            await self.sleep_for(left)
