"""Each implementation of `RateLimiter`, and its clock."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from deploy.local.stack import StackAddresses
from shared.kit.core.rate_limits import Charge, RateLimit, RateLimiter
from shared.kit.limiting.fallback import FallbackLimiter
from shared.kit.limiting.memory import MemoryLimiter
from shared.kit.limiting.redis_limiter import RedisLimiter
from shared.kit.redis.client import RedisClient
from shared.kit.telemetry.noop import NoTelemetry
from tests.support.manual_clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def redis(request: pytest.FixtureRequest) -> AsyncIterator[RedisClient]:
    addresses: StackAddresses = request.getfixturevalue("redis_addresses")
    client = RedisClient(addresses.redis, NoTelemetry(), response_timeout_seconds=20)
    yield client
    await client.close()


@pytest.fixture(params=["memory", "redis", "both"])
def limiter(request: pytest.FixtureRequest, clock: ManualClock) -> RateLimiter:
    if request.param == "memory":
        return MemoryLimiter(monotonic=clock)
    client: RedisClient = request.getfixturevalue("redis")
    shared = RedisLimiter(client, wall_clock=clock)
    if request.param == "redis":
        return shared
    return FallbackLimiter(MemoryLimiter(monotonic=clock), shared, client)


@pytest.fixture
def charge() -> Charge:
    """A charge under a limit of three in ten seconds; its key is unique to the test."""
    return Charge(RateLimit("wrong_password", 3, 10), uuid4().hex)
