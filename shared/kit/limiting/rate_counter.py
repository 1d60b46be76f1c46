"""Approximate rate limits, checked on every request in this process and shared through Redis.

The count of a sliding window is estimated from two fixed buckets: all of the current one, and the
share of the previous one that the window still covers. A check takes microseconds and does not
await. Only keys near their limit are synchronised with Redis.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b

from redis.asyncio.client import Pipeline

from shared.kit.core.rate_limits import ALLOWED, Charge, RateLimitDecision
from shared.kit.redis.client import RedisClient, RedisUnavailable

MAX_KEYS = 50_000
SHARED_FROM = 0.25
"""Share of a limit above which a key is synchronised; below it a check costs no round trip."""
SYNC_INTERVAL_SECONDS = 0.5
PREFIX = "preau:rate"


@dataclass(slots=True)
class _Count:
    """The two buckets of one key; `pending` of the current one are not yet in Redis."""

    index: int
    previous: int = 0
    current: int = 0
    pending: int = 0
    synced_at: float = float("-inf")


class RateCounter:
    """Approximate sliding windows. `wall_clock` returns seconds since 1970.

    With Redis, processes share their buckets: each lets at most a quarter of a limit pass before
    it counts together with the others. Without it each process counts by itself. `name` is the
    service's.
    """

    def __init__(
        self,
        name: str,
        redis: RedisClient | None = None,
        *,
        wall_clock: Callable[[], float] = time.time,
        max_keys: int = MAX_KEYS,
    ) -> None:
        self._name, self._redis = name, redis
        self._wall_clock, self._max_keys = wall_clock, max_keys
        self._counts: OrderedDict[tuple[str, str], _Count] = OrderedDict()
        self._to_sync: dict[tuple[str, str], Charge] = {}
        self._sync_task: asyncio.Task[None] | None = None

    def take(self, charges: tuple[Charge, ...]) -> RateLimitDecision:
        """Count every charge, or none when one of the limits is full."""
        now = self._wall_clock()
        counts = [self._current_count(charge, now) for charge in charges]
        for charge, count in zip(charges, counts, strict=True):
            limit = charge.limit
            elapsed = now / limit.window_seconds - count.index
            if count.previous * (1 - elapsed) + count.current + 1 > limit.max_charges:
                return RateLimitDecision(limit, _wait_seconds(charge, count, elapsed))
        for charge, count in zip(charges, counts, strict=True):
            count.current += 1
            count.pending += 1
            if self._redis is not None and count.current > charge.limit.max_charges * SHARED_FROM:
                self._schedule_sync(charge, count, now)
        return ALLOWED

    async def close(self) -> None:
        """Cancel a running synchronisation."""
        if self._sync_task is not None:
            self._sync_task.cancel()
            await asyncio.gather(self._sync_task, return_exceptions=True)

    def _current_count(self, charge: Charge, now: float) -> _Count:
        key = (charge.limit.name, charge.key)
        index = int(now // charge.limit.window_seconds)
        count = self._counts.get(key)
        if count is None:
            count = self._counts[key] = _Count(index)
            if len(self._counts) > self._max_keys:
                self._counts.popitem(last=False)
        elif count.index != index:
            previous = count.current if count.index == index - 1 else 0
            count.index, count.previous, count.current, count.pending = index, previous, 0, 0
            self._counts.move_to_end(key)
        return count

    def _schedule_sync(self, charge: Charge, count: _Count, now: float) -> None:
        if now - count.synced_at < SYNC_INTERVAL_SECONDS:
            return
        count.synced_at = now
        self._to_sync[charge.limit.name, charge.key] = charge
        if self._sync_task is None or self._sync_task.done():
            # Empty context: it serves many requests, so it must not inherit one request's trace.
            self._sync_task = asyncio.create_task(self._sync(), context=Context())

    async def _sync(self) -> None:
        """Add the pending counts to Redis and read the totals of all processes."""
        while self._to_sync and self._redis is not None:
            increments = self._take_increments()
            try:
                replies = await self._redis.run(partial(self._queue_increments, increments))
            except RedisUnavailable:
                for increment in increments:
                    increment.put_back()
                return
            for number, increment in enumerate(increments):
                current, _, previous = replies[3 * number : 3 * number + 3]
                increment.apply_totals(int(current), int(previous or 0))

    def _take_increments(self) -> list["_Increment"]:
        charges, self._to_sync = self._to_sync, {}
        increments = []
        for key, charge in charges.items():
            count = self._counts.get(key)
            if count is not None:
                increments.append(_Increment(charge, count, count.index, count.pending))
                count.pending = 0
        return increments

    def _queue_increments(self, increments: list["_Increment"], redis: Pipeline) -> None:
        for increment in increments:
            limit = increment.charge.limit
            digest = blake2b(increment.charge.key.encode(), digest_size=16).hexdigest()
            name = f"{PREFIX}:{self._name}:{limit.name}:{digest}"
            redis.incrby(f"{name}:{increment.index}", increment.amount)
            redis.expire(f"{name}:{increment.index}", int(2 * limit.window_seconds) + 1)
            redis.get(f"{name}:{increment.index - 1}")


@dataclass(frozen=True, slots=True)
class _Increment:
    """The amount to add in Redis to the bucket of this index."""

    charge: Charge
    count: _Count
    index: int
    amount: int

    def put_back(self) -> None:
        """Make the amount pending again, unless its bucket is no longer the current one."""
        if self.count.index == self.index:
            self.count.pending += self.amount

    def apply_totals(self, current: int, previous: int) -> None:
        """Set the totals of all processes, unless the bucket is no longer the current one."""
        if self.count.index == self.index:
            self.count.current = max(self.count.current, current + self.count.pending)
            self.count.previous = max(self.count.previous, previous)


def _wait_seconds(charge: Charge, count: _Count, elapsed: float) -> float:
    """Return the seconds until the estimate allows one more charge, if no other is counted.

    `elapsed` is the share of the current bucket's time that has passed.
    """
    max_before = charge.limit.max_charges - 1
    if count.current <= max_before:
        allowed_at = 1 - (max_before - count.current) / count.previous
        return (allowed_at - elapsed) * charge.limit.window_seconds
    allowed_at = 1 - min(1.0, max(max_before, 0) / count.current) if count.current else 1.0
    return (1 - elapsed + allowed_at) * charge.limit.window_seconds
