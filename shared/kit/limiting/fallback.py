"""The limiter that services use: in this process first, then in Redis while it answers."""

from collections.abc import Sequence

from shared.kit.core.host import Telemetry
from shared.kit.core.rate_limits import Charge, RateLimitDecision, RateLimiter
from shared.kit.limiting.memory import MemoryLimiter
from shared.kit.limiting.redis_limiter import RedisLimiter
from shared.kit.redis.client import RedisClient, RedisUnavailable, open_redis


class FallbackLimiter:
    """See `port.RateLimiter`; raises nothing when Redis is away.

    Each process counts by itself too. While Redis is away, or after it lost its data, a process
    still knows what it allowed: P processes then allow P times the limit at the most, never
    everything, and a count ends with its window. What a process refuses costs no round trip.
    `redis` is the client that it closes; None without one.
    """

    def __init__(
        self, memory: RateLimiter, shared: RateLimiter | None, redis: RedisClient | None
    ) -> None:
        self._memory, self._shared, self.redis = memory, shared, redis

    async def take(self, ticket: str, charges: Sequence[Charge]) -> RateLimitDecision:
        """See `port.RateLimiter`."""
        decision = await self._memory.take(ticket, charges)
        if not decision.allowed or self._shared is None:
            return decision
        try:
            decision = await self._shared.take(ticket, charges)
        except RedisUnavailable:
            return decision
        if not decision.allowed:
            await self._memory.refund(ticket, charges)
        return decision

    async def refund(self, ticket: str, charges: Sequence[Charge]) -> None:
        """See `port.RateLimiter`. What Redis does not hear of now ends there with its window."""
        await self._memory.refund(ticket, charges)
        if self._shared is not None and charges:
            try:
                await self._shared.refund(ticket, charges)
            except RedisUnavailable:
                return

    async def reset(self, charges: Sequence[Charge]) -> None:
        """See `port.RateLimiter`. What Redis does not hear of now ends there with its window."""
        await self._memory.reset(charges)
        if self._shared is not None and charges:
            try:
                await self._shared.reset(charges)
            except RedisUnavailable:
                return

    async def state(self) -> str:
        """Return where limits are counted, for `/health`."""
        if self.redis is None:
            return "in each process: no PREAU_REDIS_URL"
        failure = self.redis.failure_reason()
        return "in Redis" if failure is None else f"in each process: Redis is away ({failure})"

    async def close(self) -> None:
        """Close the connections to Redis."""
        if self.redis is not None:
            await self.redis.close()


def open_limiter(redis_url: str | None, telemetry: Telemetry) -> FallbackLimiter:
    """Describe a service's limiter by its settings; nothing is connected yet."""
    redis = open_redis(redis_url, telemetry)
    shared = None if redis is None else RedisLimiter(redis)
    return FallbackLimiter(MemoryLimiter(), shared, redis)
