"""FallbackLimiter while Redis is unavailable, emptied or killed: each process keeps its limits."""

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


def make_limiter(client: RedisClient, clock: ManualClock) -> FallbackLimiter:
    shared = RedisLimiter(client, wall_clock=clock)
    return FallbackLimiter(MemoryLimiter(monotonic=clock), shared, client)


async def count_allowed(limiter: FallbackLimiter, charge: Charge, number: int) -> int:
    decisions = [await limiter.take(uuid4().hex, [charge]) for _ in range(number)]
    return sum(decision.allowed for decision in decisions)


async def test_two_processes_share_one_limit(
    redis: RedisClient, charge: Charge, clock: ManualClock
) -> None:
    first, second = make_limiter(redis, clock), make_limiter(redis, clock)
    assert await count_allowed(first, charge, 2) == 2

    assert await count_allowed(second, charge, 5) == 1
    assert await count_allowed(first, charge, 5) == 0


async def test_a_charge_refused_by_redis_is_not_counted_in_the_process(
    redis: RedisClient, charge: Charge, clock: ManualClock
) -> None:
    first, second = make_limiter(redis, clock), make_limiter(redis, clock)
    await count_allowed(first, charge, 3)
    await count_allowed(second, charge, 5)
    await first.reset([charge])

    assert await count_allowed(second, charge, 5) == 3


async def test_a_process_keeps_its_counts_when_redis_is_emptied(
    redis: RedisClient, charge: Charge, clock: ManualClock
) -> None:
    limiter = make_limiter(redis, clock)
    assert await count_allowed(limiter, charge, 3) == 3

    await RedisLimiter(redis).reset([charge])

    assert await count_allowed(limiter, charge, 3) == 0


async def test_a_process_keeps_its_counts_until_window_end_without_redis(
    tmp_path: Path, charge: Charge, clock: ManualClock
) -> None:
    async with Stack(tmp_path / "home", server_names=frozenset({"redis"}), fast=True) as addresses:
        client = RedisClient(addresses.redis, NoTelemetry(), CircuitBreaker(max_failures=1))
        limiter = make_limiter(client, clock)
        assert await count_allowed(limiter, charge, 2) == 2
        assert await limiter.state() == "in Redis"

    assert await count_allowed(limiter, charge, 5) == 1
    assert (await limiter.state()).startswith("in each process: Redis is unavailable")
    clock.seconds += 11
    assert await count_allowed(limiter, charge, 5) == 3
    await limiter.refund("unknown", [charge])
    await limiter.reset([charge])
    assert await count_allowed(limiter, charge, 5) == 3
    await limiter.close()


async def test_parallel_calls_without_redis_allow_exactly_the_limit(
    charge: Charge, clock: ManualClock
) -> None:
    client = RedisClient("redis://127.0.0.1:1/0", NoTelemetry())
    limiter = make_limiter(client, clock)

    decisions = await asyncio.gather(*(limiter.take(uuid4().hex, [charge]) for _ in range(50)))

    assert sum(decision.allowed for decision in decisions) == 3
    await limiter.close()


async def test_state_names_the_missing_setting_without_redis() -> None:
    assert "PREAU_REDIS_URL" in await FallbackLimiter(MemoryLimiter(), None, None).state()
