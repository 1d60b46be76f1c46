"""Micro-batching without a timer: calls that arrive while a batch is running form the next batch.

A call that finds the batcher idle runs at once. The more calls are waiting, the larger the batch.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")
MAX_BATCH_ITEMS = 64
"""A failed batch of this size is retried in as many single calls."""


@dataclass(frozen=True)
class BatchPolicy(Generic[T]):
    """How calls form batches, wait and fail.

    A batch has at most one item of each `conflict_key`; None never conflicts. When a batch fails
    and `retry_singly` is true for its error, each item is run alone, so that one bad item does not
    fail the others. `to_caller_error` converts an error of the batch for one caller. At most
    `max_queue` calls wait, each at most `max_wait_seconds`; `rejection` makes the error of a call
    that exceeds one of these limits from its name.
    """

    retry_singly: Callable[[Exception], bool]
    to_caller_error: Callable[[Exception], Exception]
    rejection: Callable[[str], Exception]
    max_queue: int
    max_wait_seconds: float
    conflict_key: Callable[[T], Hashable] = field(default=lambda _: None)


class MicroBatcher(Generic[T, R]):
    """Runs `run_batch` for one batch at a time. It returns one result per item, in order."""

    def __init__(
        self, run_batch: Callable[[Sequence[T]], Awaitable[Sequence[R]]], policy: BatchPolicy[T]
    ) -> None:
        self._run_batch, self._policy = run_batch, policy
        self._queue: deque[_Entry[T, R]] = deque()
        self._runner: asyncio.Task[None] | None = None

    async def submit(self, item: T) -> R:
        """Return the result for this item. Raises the batch's error, or a `rejection`."""
        if len(self._queue) >= self._policy.max_queue:
            raise self._policy.rejection("queue_full")
        entry: _Entry[T, R] = _Entry(item, asyncio.get_running_loop().create_future())
        self._queue.append(entry)
        if self._runner is None or self._runner.done():
            # Empty context: a batch serves many requests, so it must not inherit one's trace.
            self._runner = asyncio.create_task(self._run_queue(), context=Context())
        try:
            return await entry.result
        finally:
            # Break the reference cycle future → exception → traceback → frame → future, so that
            # a rejected request is freed without waiting for the garbage collector.
            del entry

    async def _run_queue(self) -> None:
        while self._queue:
            batch = self._take_batch()
            if batch:
                await self._run(batch)

    def _take_batch(self) -> "list[_Entry[T, R]]":
        """Take the next batch from the queue; reject the entries that have waited too long."""
        oldest_allowed = time.monotonic() - self._policy.max_wait_seconds
        batch: list[_Entry[T, R]] = []
        conflict_keys: set[Hashable] = set()
        postponed: list[_Entry[T, R]] = []
        while self._queue and len(batch) < MAX_BATCH_ITEMS:
            entry = self._queue.popleft()
            if entry.result.done():  # its caller was cancelled
                continue
            if entry.queued_at < oldest_allowed:
                entry.result.set_exception(self._policy.rejection("turn_wait"))
                continue
            conflict_key = self._policy.conflict_key(entry.item)
            if conflict_key is not None and conflict_key in conflict_keys:
                postponed.append(entry)
                continue
            conflict_keys.add(conflict_key)
            batch.append(entry)
        self._queue.extendleft(reversed(postponed))
        return batch

    async def _run(self, batch: "Sequence[_Entry[T, R]]") -> None:
        try:
            results = await self._run_batch([entry.item for entry in batch])
        except Exception as error:  # noqa: BLE001  raised in the callers
            batch_error = _without_own_frame(error)
        except BaseException:
            for entry in batch:
                entry.result.cancel()
            raise
        else:
            for entry, result in zip(batch, results, strict=True):
                if not entry.result.done():
                    entry.result.set_result(result)
            return
        # Retry outside the `except` block: otherwise each new error keeps the batch's error alive
        # as its `__context__`.
        if len(batch) > 1 and self._policy.retry_singly(batch_error):
            for entry in batch:
                await self._run([entry])
            return
        for entry in batch:
            entry.fail(self._policy.to_caller_error(batch_error))


def _without_own_frame(error: Exception) -> Exception:
    """Remove the catching frame, which refers to the futures, from the error's traceback.

    It would close a reference cycle; see `MicroBatcher.submit`.
    """
    traceback = error.__traceback__
    return error.with_traceback(traceback.tb_next if traceback is not None else None)


@dataclass(slots=True)
class _Entry(Generic[T, R]):
    item: T
    result: "asyncio.Future[R]"
    queued_at: float = field(default_factory=time.monotonic)

    def fail(self, error: Exception) -> None:
        if not self.result.done():
            self.result.set_exception(error)
