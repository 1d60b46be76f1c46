"""The promises of `SlidingWindows`, for each implementation."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from deploy.local.stack import StackAddresses
from shared.kit.core.sliding_windows import Observation, SlidingWindows
from shared.kit.redis.client import RedisClient
from shared.kit.telemetry.noop import NoTelemetry
from shared.kit.windows.fallback import FallbackWindows
from shared.kit.windows.memory import MemoryWindows
from shared.kit.windows.redis_windows import RedisWindows, _key

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
NOON = 1_796_040_000.0
NOWHERE = "redis://127.0.0.1:9/0"


@pytest.fixture
async def redis(request: pytest.FixtureRequest) -> AsyncIterator[RedisClient]:
    addresses: StackAddresses = request.getfixturevalue("redis_addresses")
    client = RedisClient(addresses.redis, NoTelemetry())
    yield client
    await client.close()


@pytest.fixture(params=["memory", "redis", "both"])
def windows(request: pytest.FixtureRequest) -> SlidingWindows:
    if request.param == "memory":
        return MemoryWindows()
    client: RedisClient = request.getfixturevalue("redis")
    if request.param == "redis":
        return RedisWindows(client)
    return FallbackWindows(MemoryWindows(), RedisWindows(client), client)


@pytest.fixture
def key() -> str:
    """A key that is unique to the test."""
    return uuid4().hex


def observe(key: str, item: str, at: float, *, is_counted: bool = True) -> Observation:
    return Observation(key, item, NOON + at, (10, 60), is_counted)


async def test_items_are_counted_over_each_window(windows: SlidingWindows, key: str) -> None:
    items = [observe(key, str(at), at) for at in (0, 45, 55, 59)]
    counts = await windows.count(items)
    assert list(counts.values) == [(1, 1), (1, 2), (1, 3), (2, 4)]
    assert not counts.degraded


async def test_an_item_one_whole_window_away_is_not_counted(
    windows: SlidingWindows, key: str
) -> None:
    await windows.count([observe(key, "first", 0)])
    counts = await windows.count(
        [observe(key, "?", at, is_counted=False) for at in (0, 9.9, 10, 60)]
    )
    assert list(counts.values) == [(1, 1), (1, 1), (0, 1), (0, 0)]


async def test_the_same_item_again_is_counted_once(windows: SlidingWindows, key: str) -> None:
    counts = await windows.count(
        [observe(key, "one", 0), observe(key, "one", 0), observe(key, "one", 5)]
    )
    assert list(counts.values) == [(1, 1)] * 3


async def test_a_late_item_counts_later_items_of_its_window(
    windows: SlidingWindows, key: str
) -> None:
    await windows.count([observe(key, str(at), at) for at in (45, 51, 99, 101)])
    counts = await windows.count([observe(key, "late", 40)])
    assert list(counts.values) == [(2, 4)]


async def test_a_burst_is_counted_in_any_order_of_arrival(
    windows: SlidingWindows, key: str
) -> None:
    order = (5, 8, 2, 1, 7, 3, 6, 4)
    counts = [await windows.count([observe(key, str(at), at)]) for at in order]
    assert max(count.values[0][0] for count in counts) == len(order)


async def test_an_observation_that_is_not_counted_adds_nothing(
    windows: SlidingWindows, key: str
) -> None:
    observations = [observe(key, "a", 0, is_counted=False), observe(key, "b", 0, is_counted=False)]
    assert list((await windows.count(observations)).values) == [(0, 0), (0, 0)]


async def test_keys_are_counted_separately(windows: SlidingWindows, key: str) -> None:
    counts = await windows.count([observe(key, "a", 0), observe(key + "é", "b", 0)])
    assert list(counts.values) == [(1, 1), (1, 1)]


async def test_many_observations_of_one_call_are_all_counted(
    windows: SlidingWindows, key: str
) -> None:
    counts = await windows.count([observe(key, str(number), number / 100) for number in range(250)])
    assert counts.values[-1] == (250, 250)


async def test_without_redis_a_process_counts_and_marks_it_degraded(key: str) -> None:
    unavailable = RedisClient(NOWHERE, NoTelemetry())
    windows = FallbackWindows(MemoryWindows(), RedisWindows(unavailable), unavailable)
    counts = await windows.count([observe(key, "a", 0), observe(key, "b", 1)])
    assert (list(counts.values), counts.degraded) == ([(1, 1), (2, 2)], True)
    await windows.close()


async def test_a_process_keeps_counts_that_redis_has_lost(redis: RedisClient, key: str) -> None:
    windows = FallbackWindows(MemoryWindows(), RedisWindows(redis), redis)
    await windows.count([observe(key, "a", 0)])
    fresh = FallbackWindows(windows._memory, RedisWindows(redis), redis)
    await redis.run(lambda pipeline: pipeline.delete(_key(key)))
    assert (await fresh.count([observe(key, "b", 1)])).values == [(2, 2)]


async def test_memory_is_bounded_in_keys_and_items() -> None:
    windows = MemoryWindows(max_keys=3, max_items=4)
    for number in range(20):
        await windows.count([observe(f"key {number}", "a", 0), observe("key 19", str(number), 0)])
    assert len(windows._times_by_key) == 3
    assert max(len(times) for times in windows._times_by_key.values()) == 4
