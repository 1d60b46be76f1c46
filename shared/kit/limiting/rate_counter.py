"""Counts for every request: approximate, in this process, told to Redis only where it matters.

A window is estimated from two buckets: what the present one holds, and of the one before the share
that the window still covers. A check takes microseconds and never waits.
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
"""Of a limit: keys below are counted in this process only, so that most cost no round trip."""
SYNC_SECONDS = 0.5
PREFIX = "preau:rate"


@dataclass(slots=True)
class _Count:
    """Two buckets of one key; `pending` of the present one is not yet in Redis."""

    index: int
    previous: int = 0
    present: int = 0
    pending: int = 0
    synced: float = float("-inf")


class RateCounter:
    """Approximate sliding windows. `wall` gives seconds since 1970: processes share buckets.

    With Redis, P processes together let at most a quarter of a limit each pass before they count
    together; without it each process counts by itself. `name` is the service's.
    """

    def __init__(
        self,
        name: str,
        redis: RedisClient | None = None,
        *,
        wall_clock: Callable[[], float] = time.time,
        max_keys: int = MAX_KEYS,
    ) -> None:
        self._name, self._redis, self._wall, self._max_keys = name, redis, wall_clock, max_keys
        self._counts: OrderedDict[tuple[str, str], _Count] = OrderedDict()
        self._due: dict[tuple[str, str], Charge] = {}
        self._syncing: asyncio.Task[None] | None = None

    def take(self, charges: tuple[Charge, ...]) -> RateLimitDecision:
        """Count one for each charge, or nothing when one of the limits is full."""
        now = self._wall()
        counts = [self._current(charge, now) for charge in charges]
        for charge, count in zip(charges, counts, strict=True):
            limit = charge.limit
            part = now / limit.window_seconds - count.index
            if count.previous * (1 - part) + count.present + 1 > limit.max_charges:
                return RateLimitDecision(limit, _wait(charge, count, part))
        for charge, count in zip(charges, counts, strict=True):
            count.present += 1
            count.pending += 1
            if self._redis is not None and count.present > charge.limit.max_charges * SHARED_FROM:
                self._want_sync(charge, count, now)
        return ALLOWED

    async def close(self) -> None:
        """End what is being told to Redis."""
        if self._syncing is not None:
            self._syncing.cancel()
            await asyncio.gather(self._syncing, return_exceptions=True)

    def _current(self, charge: Charge, now: float) -> _Count:
        key, index = (charge.limit.name, charge.key), int(now // charge.limit.window_seconds)
        count = self._counts.get(key)
        if count is None:
            count = self._counts[key] = _Count(index)
            if len(self._counts) > self._max_keys:
                self._counts.popitem(last=False)
        elif count.index != index:
            before = count.present if count.index == index - 1 else 0
            count.index, count.previous, count.present, count.pending = index, before, 0, 0
            self._counts.move_to_end(key)
        return count

    def _want_sync(self, charge: Charge, count: _Count, now: float) -> None:
        if now - count.synced < SYNC_SECONDS:
            return
        count.synced = now
        self._due[charge.limit.name, charge.key] = charge
        if self._syncing is None or self._syncing.done():
            # Empty context: it serves many requests, so it must not inherit one request's trace.
            self._syncing = asyncio.create_task(self._sync(), context=Context())

    async def _sync(self) -> None:
        """Add what is pending to Redis and learn what other processes counted."""
        while self._due and self._redis is not None:
            parts = self._taken_due()
            try:
                answers = await self._redis.run(partial(self._add, parts))
            except RedisUnavailable:
                for part in parts:
                    part.put_back()
                return
            for number, part in enumerate(parts):
                total, _, before = answers[3 * number : 3 * number + 3]
                part.learn(int(total), int(before or 0))

    def _taken_due(self) -> list["_Part"]:
        charges, self._due = self._due, {}
        parts = []
        for key, charge in charges.items():
            count = self._counts.get(key)
            if count is not None:
                parts.append(_Part(charge, count, count.index, count.pending))
                count.pending = 0
        return parts

    def _add(self, parts: list["_Part"], redis: Pipeline) -> None:
        for part in parts:
            limit = part.charge.limit
            digest = blake2b(part.charge.key.encode(), digest_size=16).hexdigest()
            name = f"{PREFIX}:{self._name}:{limit.name}:{digest}"
            redis.incrby(f"{name}:{part.index}", part.amount)
            redis.expire(f"{name}:{part.index}", int(2 * limit.window_seconds) + 1)
            redis.get(f"{name}:{part.index - 1}")


@dataclass(frozen=True, slots=True)
class _Part:
    """What is told to Redis of one key: so many in the bucket of this index."""

    charge: Charge
    count: _Count
    index: int
    amount: int

    def put_back(self) -> None:
        """Keep it for the next time."""
        if self.count.index == self.index:
            self.count.pending += self.amount

    def learn(self, total: int, before: int) -> None:
        """Take over what all processes counted, unless the bucket has passed."""
        if self.count.index == self.index:
            self.count.present = max(self.count.present, total + self.count.pending)
            self.count.previous = max(self.count.previous, before)


def _wait(charge: Charge, count: _Count, part: float) -> float:
    """Return the seconds until the estimate has room for one more if nothing else comes."""
    room = charge.limit.max_charges - 1
    if count.present <= room:
        reached = 1 - (room - count.present) / count.previous
        return (reached - part) * charge.limit.window_seconds
    reached = 1 - min(1.0, max(room, 0) / count.present) if count.present else 1.0
    return (1 - part + reached) * charge.limit.window_seconds
