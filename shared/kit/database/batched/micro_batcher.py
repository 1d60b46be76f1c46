"""Work of many, done together: who comes while the last is being done goes with the next.

No clock: whoever is alone does not wait. The more come, the more go together.
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
"""So many go together at the most: one failure is sought among them one by one."""


@dataclass(frozen=True)
class BatchPolicy(Generic[T]):
    """How items go together.

    Of those with one `key` only the first goes, the others after it; None is nobody's key.
    When all failed and one of them may be the reason (`divides`), each is done by itself.
    `waiting` items may wait, and none longer than `wait` seconds: `refused` says no, by reason.
    `raised` makes the error that one of them gets from the one that all had.
    """

    retry_singly: Callable[[Exception], bool]
    to_caller_error: Callable[[Exception], Exception]
    rejection: Callable[[str], Exception]
    max_queue: int
    max_wait_seconds: float
    conflict_key: Callable[[T], Hashable] = field(default=lambda _: None)


class MicroBatcher(Generic[T, R]):
    """Does `work` for a list of items, in their order; it gives as many results, or fails."""

    def __init__(
        self, run_batch: Callable[[Sequence[T]], Awaitable[Sequence[R]]], policy: BatchPolicy[T]
    ) -> None:
        self._work, self._rules = run_batch, policy
        self._waiting: deque[_Waiting[T, R]] = deque()
        self._working: asyncio.Task[None] | None = None

    async def submit(self, item: T) -> R:
        """Have it done. Raises what the work raised for this item, or that it was refused."""
        if len(self._waiting) >= self._rules.max_queue:
            raise self._rules.rejection("queue_full")
        one: _Waiting[T, R] = _Waiting(item, asyncio.get_running_loop().create_future())
        self._waiting.append(one)
        if self._working is None or self._working.done():
            # In nobody's context: what it does belongs to no single request's trace.
            self._working = asyncio.create_task(self._all(), context=Context())
        try:
            return await one.result
        finally:
            # The future holds its error, that one's traceback this frame, and the frame the future:
            # a ring that would keep all that a refused request is made of until the collector came.
            del one

    async def _all(self) -> None:
        while self._waiting:
            group = self._next()
            if group:
                await self._together(group)

    def _next(self) -> "list[_Waiting[T, R]]":
        """Take those who go together now; who has waited too long is told no."""
        oldest = time.monotonic() - self._rules.max_wait_seconds
        taken: list[_Waiting[T, R]] = []
        keys: set[Hashable] = set()
        later: list[_Waiting[T, R]] = []
        while self._waiting and len(taken) < MAX_BATCH_ITEMS:
            one = self._waiting.popleft()
            if one.result.done():  # nobody waits for it any more
                continue
            if one.since < oldest:
                one.result.set_exception(self._rules.rejection("turn_wait"))
                continue
            key = self._rules.conflict_key(one.item)
            if key is not None and key in keys:
                later.append(one)
                continue
            keys.add(key)
            taken.append(one)
        self._waiting.extendleft(reversed(later))
        return taken

    async def _together(self, group: "Sequence[_Waiting[T, R]]") -> None:
        try:
            results = await self._work([one.item for one in group])
        except Exception as error:  # noqa: BLE001  it is told to those who wait
            failed = _below(error)
        except BaseException:
            for one in group:
                one.result.cancel()
            raise
        else:
            for one, result in zip(group, results, strict=True):
                if not one.result.done():
                    one.result.set_result(result)
            return
        # Not while it is handled: the errors of each alone would keep it, and it all of them.
        if len(group) > 1 and self._rules.retry_singly(failed):
            for one in group:
                await self._together([one])
            return
        for one in group:
            one.fail(self._rules.to_caller_error(failed))


def _below(error: Exception) -> Exception:
    """Leave the frame out that caught it, which knows the futures of those who are told: a ring."""
    trace = error.__traceback__
    return error.with_traceback(trace.tb_next if trace is not None else None)


@dataclass(slots=True)
class _Waiting(Generic[T, R]):
    item: T
    result: "asyncio.Future[R]"
    since: float = field(default_factory=time.monotonic)

    def fail(self, error: Exception) -> None:
        if not self.result.done():
            self.result.set_exception(error)
