"""The windows that services use: in this process, and in Redis while it answers."""

from collections.abc import Sequence

from shared.kit.core.host import Telemetry
from shared.kit.core.sliding_windows import Observation, SlidingWindows, WindowCounts
from shared.kit.redis.client import RedisClient, RedisUnavailable, open_redis
from shared.kit.windows.memory import MemoryWindows
from shared.kit.windows.redis_windows import RedisWindows


class FallbackWindows:
    """See `port.SlidingWindows`; raises nothing when Redis is away.

    Each process counts what it sees, always. While Redis is away, or after it lost its data, that
    is what counts, and the counts are `degraded`: with P processes one may miss what the others
    saw. Without any Redis a single process sees everything, and nothing is degraded.
    """

    def __init__(
        self, memory: SlidingWindows, shared: SlidingWindows | None, redis: RedisClient | None
    ) -> None:
        self._memory, self._shared, self._redis = memory, shared, redis

    async def count(self, observations: Sequence[Observation]) -> WindowCounts:
        """See `port.SlidingWindows`."""
        own = await self._memory.count(observations)
        if self._shared is None or not observations:
            return own
        try:
            shared = await self._shared.count(observations)
        except RedisUnavailable:
            return WindowCounts(own.values, degraded=True)
        pairs = zip(own.values, shared.values, strict=True)
        return WindowCounts([tuple(map(max, mine, theirs)) for mine, theirs in pairs])

    async def close(self) -> None:
        """Close the connections to Redis."""
        if self._redis is not None:
            await self._redis.close()


def open_windows(redis_url: str | None, telemetry: Telemetry) -> FallbackWindows:
    """Describe a service's windows by its settings; nothing is connected yet."""
    redis = open_redis(redis_url, telemetry)
    shared = None if redis is None else RedisWindows(redis)
    return FallbackWindows(MemoryWindows(), shared, redis)
