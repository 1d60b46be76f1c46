"""The rate limiter of a service: counts in this process, and in Redis while it is available."""

from collections.abc import Sequence

from shared.kit.core.host import Telemetry
from shared.kit.core.rate_limits import Charge, RateLimitDecision, RateLimiter
from shared.kit.limiting.memory import MemoryLimiter
from shared.kit.limiting.redis_limiter import RedisLimiter
from shared.kit.redis.client import RedisClient, RedisUnavailable, open_redis


class FallbackLimiter:
    """See `core.rate_limits.RateLimiter`; it does not raise while Redis is unavailable.

    Each process also counts by itself. While Redis is unavailable, or after it has lost its data, a
    process still limits what it counted: P processes then allow at most P times the limit. A charge
    that the process refuses costs no round trip. `redis` is the client to close; None without
    Redis.
    """

    def __init__(
        self, memory: RateLimiter, shared: RateLimiter | None, redis: RedisClient | None
    ) -> None:
        self._memory, self._shared, self.redis = memory, shared, redis

    async def take(self, ticket: str, charges: Sequence[Charge]) -> RateLimitDecision:
        """See `core.rate_limits.RateLimiter`."""
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
        """See `core.rate_limits.RateLimiter`. Without Redis its counts stay until window end."""
        await self._memory.refund(ticket, charges)
        if self._shared is not None and charges:
            try:
                await self._shared.refund(ticket, charges)
            except RedisUnavailable:
                return

    async def reset(self, charges: Sequence[Charge]) -> None:
        """See `core.rate_limits.RateLimiter`. Without Redis its counts stay until window end."""
        await self._memory.reset(charges)
        if self._shared is not None and charges:
            try:
                await self._shared.reset(charges)
            except RedisUnavailable:
                return

    async def state(self) -> str:
        """Describe for `/health` where limits are counted."""
        if self.redis is None:
            return "in each process: no PREAU_REDIS_URL"
        reason = self.redis.failure_reason()
        return "in Redis" if reason is None else f"in each process: Redis is unavailable ({reason})"

    async def close(self) -> None:
        """Close the connections to Redis."""
        if self.redis is not None:
            await self.redis.close()


def open_limiter(redis_url: str | None, telemetry: Telemetry) -> FallbackLimiter:
    """Create a service's limiter; it connects to Redis at its first use."""
    redis = open_redis(redis_url, telemetry)
    shared = None if redis is None else RedisLimiter(redis)
    return FallbackLimiter(MemoryLimiter(), shared, redis)
