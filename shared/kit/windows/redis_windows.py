"""Windows in Redis: a sorted set per key, an item's score its moment."""

from collections.abc import Sequence
from hashlib import blake2b

from redis.asyncio.client import Pipeline

from shared.kit.core.sliding_windows import Observation, WindowCounts
from shared.kit.redis.client import RedisClient

PREFIX = "preau:window"
MAX_OBSERVATIONS_PER_CALL = 100
"""So that one transaction stays far below the client's time limit."""
LATE_SECONDS = 600
"""How long what left the widest window is kept, for an observation that comes late."""


class RedisWindows:
    """See `SlidingWindows`; `count` raises `RedisUnavailable`. Keys hold a digest only."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    async def count(self, observations: Sequence[Observation]) -> WindowCounts:
        """See `port.SlidingWindows`."""
        values: list[tuple[int, ...]] = []
        for begin in range(0, len(observations), MAX_OBSERVATIONS_PER_CALL):
            values += await self._count(observations[begin : begin + MAX_OBSERVATIONS_PER_CALL])
        return WindowCounts(values)

    async def _count(self, observations: Sequence[Observation]) -> list[tuple[int, ...]]:
        def queue(redis: Pipeline) -> None:
            for observation in observations:
                key = _key(observation.key)
                if observation.is_counted:
                    _add(redis, key, observation)
                for window in observation.windows:
                    # A parenthesis leaves the bound itself out.
                    begin, end = observation.at - window, observation.at + window
                    redis.zcount(key, f"({begin}", f"({end}")

        answers = iter(await self._redis.run(queue))
        counts = []
        for observation in observations:
            for _ in range(_ADDING if observation.is_counted else 0):
                next(answers)
            counts.append(tuple(int(next(answers)) for _ in observation.windows))
        return counts


_ADDING = 3
"""Commands that `_add` queues."""


def _add(redis: Pipeline, key: str, observation: Observation) -> None:
    widest = max(observation.windows, default=0)
    redis.zadd(key, {observation.item: observation.at}, gt=True)
    redis.zremrangebyscore(key, "-inf", observation.at - widest - LATE_SECONDS)
    redis.expire(key, widest + LATE_SECONDS)


def _key(name: str) -> str:
    return f"{PREFIX}:{blake2b(name.encode(), digest_size=16).hexdigest()}"
