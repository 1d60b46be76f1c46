"""The sliding windows of a service: counts in this process, and in Redis while it is available."""

from collections.abc import Sequence

from shared.kit.core.host import Telemetry
from shared.kit.core.sliding_windows import Observation, SlidingWindows, WindowCounts
from shared.kit.redis.client import RedisClient, RedisUnavailable, open_redis
from shared.kit.windows.memory import MemoryWindows
from shared.kit.windows.redis_windows import RedisWindows


class FallbackWindows:
    """See `core.sliding_windows.SlidingWindows`; it does not raise while Redis is unavailable.

    Each process always counts its own observations. While Redis is unavailable, or after it has
    lost its data, those are returned and marked `degraded`: a process does not count what the other
    processes observed. A service without Redis runs one process, so its counts are not degraded.
    """

    def __init__(
        self, memory: SlidingWindows, shared: SlidingWindows | None, redis: RedisClient | None
    ) -> None:
        self._memory, self._shared, self._redis = memory, shared, redis

    async def count(self, observations: Sequence[Observation]) -> WindowCounts:
        """See `core.sliding_windows.SlidingWindows`."""
        own = await self._memory.count(observations)
        if self._shared is None or not observations:
            return own
        try:
            shared = await self._shared.count(observations)
        except RedisUnavailable:
            return WindowCounts(own.values, degraded=True)
        pairs = zip(own.values, shared.values, strict=True)
        return WindowCounts([tuple(map(max, *pair)) for pair in pairs])

    async def close(self) -> None:
        """Close the connections to Redis."""
        if self._redis is not None:
            await self._redis.close()


def open_windows(redis_url: str | None, telemetry: Telemetry) -> FallbackWindows:
    """Create a service's windows; they connect to Redis at their first use."""
    redis = open_redis(redis_url, telemetry)
    shared = None if redis is None else RedisWindows(redis)
    return FallbackWindows(MemoryWindows(), shared, redis)
