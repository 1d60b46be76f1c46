"""The limiter in Redis: one for all processes, exact sliding windows in sorted sets."""

import time
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any

from redis.asyncio.client import Pipeline

from shared.kit.core.rate_limits import ALLOWED, Charge, RateLimitDecision
from shared.kit.redis.client import RedisClient

PREFIX = "preau:limit"
_COMMANDS = 5
"""Commands that `_count` queues for one charge."""


class RedisLimiter:
    """See `port.RateLimiter`; every method raises `RedisUnavailable`.

    A ticket is a member of one sorted set per charge, its score the moment. `wall` gives seconds
    since 1970, for several processes count together; their clocks may differ by far less than a
    window. Keys hold a digest: no address of a person stands in Redis.
    """

    def __init__(self, redis: RedisClient, *, wall_clock: Callable[[], float] = time.time) -> None:
        self._redis, self._wall = redis, wall_clock

    async def take(self, ticket: str, charges: Sequence[Charge]) -> RateLimitDecision:
        """See `RateLimiter`. Redis runs the transactions one by one, so the counts are exact."""
        now = self._wall()

        def count(redis: Pipeline) -> None:
            for charge in charges:
                _count(redis, charge, ticket, now)

        answers = await self._redis.run(count)
        refusal = ALLOWED
        for number, charge in enumerate(charges):
            counted, oldest = answers[number * _COMMANDS + 2 : number * _COMMANDS + 4]
            if counted > charge.limit.max_charges:
                wait = _wait(charge, oldest, now)
                if refusal.allowed or wait > refusal.wait_seconds:
                    refusal = RateLimitDecision(charge.limit, wait)
        if not refusal.allowed:
            await self.refund(ticket, charges)
        return refusal

    async def refund(self, ticket: str, charges: Sequence[Charge]) -> None:
        """See `port.RateLimiter`."""
        await self._redis.run(lambda redis: [redis.zrem(_key(each), ticket) for each in charges])

    async def reset(self, charges: Sequence[Charge]) -> None:
        """See `port.RateLimiter`."""
        await self._redis.run(lambda redis: [redis.delete(_key(each)) for each in charges])


def _key(charge: Charge) -> str:
    digest = blake2b(charge.key.encode(), digest_size=16).hexdigest()
    return f"{PREFIX}:{charge.limit.name}:{digest}"


def _count(redis: Pipeline, charge: Charge, ticket: str, now: float) -> None:
    key, seconds = _key(charge), charge.limit.window_seconds
    redis.zremrangebyscore(key, "-inf", now - seconds)
    redis.zadd(key, {ticket: now})
    redis.zcard(key)
    redis.zrange(key, 0, 0, withscores=True)
    redis.pexpire(key, int(seconds * 1000) + 1000)


def _wait(charge: Charge, oldest: Sequence[tuple[Any, float]], now: float) -> float:
    seconds = charge.limit.window_seconds
    (_, moment), *_ = oldest
    return min(max(moment + seconds - now, 0.0), seconds)
