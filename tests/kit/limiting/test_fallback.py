"""Redis away, emptied or killed: limits hold in each process, and nobody is locked out for ever."""

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest

from deploy.local.stack import Stack
from shared.kit.core.rate_limits import Charge
from shared.kit.limiting.fallback import FallbackLimiter
from shared.kit.limiting.memory import MemoryLimiter
from shared.kit.limiting.redis_limiter import RedisLimiter
from shared.kit.redis.circuit_breaker import CircuitBreaker
from shared.kit.redis.client import RedisClient
from shared.kit.telemetry.noop import NoTelemetry
from tests.support.manual_clock import ManualClock

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


def limiter_of(client: RedisClient, moment: ManualClock) -> FallbackLimiter:
    shared = RedisLimiter(client, wall_clock=moment)
    return FallbackLimiter(MemoryLimiter(monotonic=moment), shared, client)


async def takes(limiter: FallbackLimiter, charge: Charge, number: int) -> int:
    decisions = [await limiter.take(uuid4().hex, [charge]) for _ in range(number)]
    return sum(decision.allowed for decision in decisions)


async def test_two_processes_share_one_limit(
    redis: RedisClient, charge: Charge, moment: ManualClock
) -> None:
    first, second = limiter_of(redis, moment), limiter_of(redis, moment)
    assert await takes(first, charge, 2) == 2

    assert await takes(second, charge, 5) == 1
    assert await takes(first, charge, 5) == 0


async def test_what_redis_refuses_is_not_kept_by_the_process(
    redis: RedisClient, charge: Charge, moment: ManualClock
) -> None:
    first, second = limiter_of(redis, moment), limiter_of(redis, moment)
    await takes(first, charge, 3)
    await takes(second, charge, 5)
    await first.reset([charge])

    assert await takes(second, charge, 5) == 3


async def test_emptied_redis_opens_nothing_to_a_process_that_counted(
    redis: RedisClient, charge: Charge, moment: ManualClock
) -> None:
    limiter = limiter_of(redis, moment)
    assert await takes(limiter, charge, 3) == 3

    await RedisLimiter(redis).reset([charge])

    assert await takes(limiter, charge, 3) == 0


async def test_killed_redis_keeps_the_counts_of_the_process_until_their_window_ends(
    tmp_path: Path, charge: Charge, moment: ManualClock
) -> None:
    async with Stack(tmp_path / "home", server_names=frozenset({"redis"}), fast=True) as addresses:
        client = RedisClient(addresses.redis, NoTelemetry(), CircuitBreaker(max_failures=1))
        limiter = limiter_of(client, moment)
        assert await takes(limiter, charge, 2) == 2
        assert await limiter.state() == "in Redis"

    assert await takes(limiter, charge, 5) == 1
    assert (await limiter.state()).startswith("in each process: Redis is away")
    moment.seconds += 11
    assert await takes(limiter, charge, 5) == 3
    await limiter.refund("unknown", [charge])
    await limiter.reset([charge])
    assert await takes(limiter, charge, 5) == 3
    await limiter.close()


async def test_parallel_calls_without_redis_allow_exactly_the_limit(
    charge: Charge, moment: ManualClock
) -> None:
    client = RedisClient("redis://127.0.0.1:1/0", NoTelemetry())
    limiter = limiter_of(client, moment)

    answers = await asyncio.gather(*(limiter.take(uuid4().hex, [charge]) for _ in range(50)))

    assert sum(answer.allowed for answer in answers) == 3
    await limiter.close()


async def test_no_redis_is_said() -> None:
    assert "PREAU_REDIS_URL" in await FallbackLimiter(MemoryLimiter(), None, None).state()
