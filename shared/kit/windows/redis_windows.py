"""Sliding windows in Redis: a sorted set per key; the score of an item is its time."""

from collections.abc import Sequence
from hashlib import blake2b

from redis.asyncio.client import Pipeline

from shared.kit.core.sliding_windows import Observation, WindowCounts
from shared.kit.redis.client import RedisClient

PREFIX = "preau:window"
MAX_OBSERVATIONS_PER_CALL = 100
"""Keeps one transaction far below the client's timeout."""
LATE_SECONDS = 600
"""How long an item is kept after it left the widest window, for observations that arrive late."""
_COMMANDS_PER_ADD = 3
"""Commands that `_queue_add` queues."""


class RedisWindows:
    """See `core.sliding_windows.SlidingWindows`; `count` raises `RedisUnavailable`.

    Keys are digests, so that Redis holds no personal data.
    """

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    async def count(self, observations: Sequence[Observation]) -> WindowCounts:
        """See `core.sliding_windows.SlidingWindows`."""
        values: list[tuple[int, ...]] = []
        for begin in range(0, len(observations), MAX_OBSERVATIONS_PER_CALL):
            values += await self._count(observations[begin : begin + MAX_OBSERVATIONS_PER_CALL])
        return WindowCounts(values)

    async def _count(self, observations: Sequence[Observation]) -> list[tuple[int, ...]]:
        def queue(redis: Pipeline) -> None:
            for observation in observations:
                key = _key(observation.key)
                if observation.is_counted:
                    _queue_add(redis, key, observation)
                for window in observation.windows:
                    # A parenthesis excludes the bound.
                    begin, end = observation.at - window, observation.at + window
                    redis.zcount(key, f"({begin}", f"({end}")

        replies = iter(await self._redis.run(queue))
        counts = []
        for observation in observations:
            for _ in range(_COMMANDS_PER_ADD if observation.is_counted else 0):
                next(replies)
            counts.append(tuple(int(next(replies)) for _ in observation.windows))
        return counts


def _queue_add(redis: Pipeline, key: str, observation: Observation) -> None:
    widest = max(observation.windows, default=0)
    redis.zadd(key, {observation.item: observation.at}, gt=True)
    redis.zremrangebyscore(key, "-inf", observation.at - widest - LATE_SECONDS)
    redis.expire(key, widest + LATE_SECONDS)


def _key(name: str) -> str:
    return f"{PREFIX}:{blake2b(name.encode(), digest_size=16).hexdigest()}"
