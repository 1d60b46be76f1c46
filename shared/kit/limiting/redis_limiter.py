"""The rate limiter in Redis, shared by all processes: exact sliding windows in sorted sets."""

import time
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any

from redis.asyncio.client import Pipeline

from shared.kit.core.rate_limits import ALLOWED, Charge, RateLimitDecision
from shared.kit.redis.client import RedisClient

PREFIX = "preau:limit"
_COMMANDS_PER_CHARGE = 5
"""Commands that `_queue_charge` queues."""


class RedisLimiter:
    """See `core.rate_limits.RateLimiter`; every method raises `RedisUnavailable`.

    A ticket is a member of one sorted set per charge; its score is its time. `wall_clock` returns
    seconds since 1970: processes share the sets, so their clocks must differ by far less than a
    window. Keys are digests, so that Redis holds no personal data.
    """

    def __init__(self, redis: RedisClient, *, wall_clock: Callable[[], float] = time.time) -> None:
        self._redis, self._wall_clock = redis, wall_clock

    async def take(self, ticket: str, charges: Sequence[Charge]) -> RateLimitDecision:
        """See `core.rate_limits.RateLimiter`; exact, since Redis serialises transactions."""
        now = self._wall_clock()

        def queue(redis: Pipeline) -> None:
            for charge in charges:
                _queue_charge(redis, charge, ticket, now)

        replies = await self._redis.run(queue)
        decision = ALLOWED
        for number, charge in enumerate(charges):
            first = number * _COMMANDS_PER_CHARGE
            count, oldest = replies[first + 2 : first + 4]
            if count > charge.limit.max_charges:
                wait_seconds = _wait_seconds(charge, oldest, now)
                if decision.allowed or wait_seconds > decision.wait_seconds:
                    decision = RateLimitDecision(charge.limit, wait_seconds)
        if not decision.allowed:
            await self.refund(ticket, charges)
        return decision

    async def refund(self, ticket: str, charges: Sequence[Charge]) -> None:
        """See `core.rate_limits.RateLimiter`."""
        keys = [_key(charge) for charge in charges]
        await self._redis.run(lambda redis: [redis.zrem(key, ticket) for key in keys])

    async def reset(self, charges: Sequence[Charge]) -> None:
        """See `core.rate_limits.RateLimiter`."""
        keys = [_key(charge) for charge in charges]
        await self._redis.run(lambda redis: [redis.delete(key) for key in keys])


def _key(charge: Charge) -> str:
    digest = blake2b(charge.key.encode(), digest_size=16).hexdigest()
    return f"{PREFIX}:{charge.limit.name}:{digest}"


def _queue_charge(redis: Pipeline, charge: Charge, ticket: str, now: float) -> None:
    key, seconds = _key(charge), charge.limit.window_seconds
    redis.zremrangebyscore(key, "-inf", now - seconds)
    redis.zadd(key, {ticket: now})
    redis.zcard(key)
    redis.zrange(key, 0, 0, withscores=True)
    redis.pexpire(key, int(seconds * 1000) + 1000)


def _wait_seconds(charge: Charge, oldest: Sequence[tuple[Any, float]], now: float) -> float:
    seconds = charge.limit.window_seconds
    (_, charged_at), *_ = oldest
    return min(max(charged_at + seconds - now, 0.0), seconds)
