"""Redis is killed while people sign in and others guess: limits hold, right passwords pass."""

import asyncio
from pathlib import Path

import pytest

from deploy.local.stack import Stack
from services.identity.sessions.domain import SignedIn
from shared.kit.limiting.fallback import FallbackLimiter
from shared.kit.limiting.memory import MemoryLimiter
from shared.kit.limiting.redis_limiter import RedisLimiter
from shared.kit.redis.client import RedisClient
from shared.kit.telemetry.noop import NoTelemetry
from tests.identity.sessions.attacked import HAMID_EMAIL, SCHOOL, Attacked

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


async def test_killed_redis_neither_opens_sign_in_nor_locks_people_out(tmp_path: Path) -> None:
    async with Stack(tmp_path / "home", parts=frozenset({"redis"}), fast=True) as addresses:
        client = RedisClient(addresses.redis, NoTelemetry(), answer_seconds=5)
        limiter = FallbackLimiter(MemoryLimiter(), RedisLimiter(client), client)
        attacked = Attacked(limiter=limiter)
        await asyncio.gather(*(attacked.try_to() for _ in range(40)))
        assert attacked.hashed == 5
        during = [asyncio.create_task(attacked.try_to()) for _ in range(40)]

    await asyncio.gather(*during)
    await asyncio.gather(*(attacked.try_to() for _ in range(40)))

    assert attacked.hashed == 5, "the process knows what it let through"
    assert isinstance(await attacked.try_to(HAMID_EMAIL, right=True), SignedIn)
    assert isinstance(await attacked.try_to(right=True, address=SCHOOL), SignedIn)
    assert (await limiter.state()).startswith("in each process: Redis is away")
    await limiter.close()
