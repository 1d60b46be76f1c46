"""Redis is killed during sign-ins and guesses: limits still apply, right passwords still work."""

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
from tests.identity.sessions.sign_in_harness import HAMID_EMAIL, SCHOOL, SignInHarness

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


async def test_sign_in_limits_apply_when_redis_is_killed(tmp_path: Path) -> None:
    async with Stack(tmp_path / "home", server_names=frozenset({"redis"}), fast=True) as addresses:
        client = RedisClient(addresses.redis, NoTelemetry(), response_timeout_seconds=5)
        limiter = FallbackLimiter(MemoryLimiter(), RedisLimiter(client), client)
        harness = SignInHarness(limiter=limiter)
        await asyncio.gather(*(harness.try_sign_in() for _ in range(40)))
        assert harness.hash_count == 5
        attempts_during_kill = [asyncio.create_task(harness.try_sign_in()) for _ in range(40)]

    await asyncio.gather(*attempts_during_kill)
    await asyncio.gather(*(harness.try_sign_in() for _ in range(40)))

    assert harness.hash_count == 5, "the process counts its own attempts"
    assert isinstance(await harness.try_sign_in(HAMID_EMAIL, right=True), SignedIn)
    assert isinstance(await harness.try_sign_in(right=True, address=SCHOOL), SignedIn)
    assert (await limiter.state()).startswith("in each process: Redis is unavailable")
    await limiter.close()
