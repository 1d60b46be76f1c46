"""The promises of `RateLimiter`, for each implementation."""

import asyncio
from dataclasses import replace
from uuid import uuid4

import pytest

from shared.kit.core.rate_limits import Charge, RateLimit, RateLimiter
from tests.support.manual_clock import ManualClock

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


def ticket() -> str:
    return uuid4().hex


async def take(limiter: RateLimiter, *charges: Charge) -> bool:
    return (await limiter.take(ticket(), charges)).allowed


async def test_concurrent_calls_are_allowed_exactly_up_to_the_limit(limiter: RateLimiter) -> None:
    charge = Charge(RateLimit("parallel", 17, 60), uuid4().hex)

    decisions = await asyncio.gather(*(take(limiter, charge) for _ in range(100)))

    assert decisions.count(True) == 17


async def test_a_full_limit_returns_the_wait_until_its_oldest_expires(
    limiter: RateLimiter, charge: Charge, clock: ManualClock
) -> None:
    for _ in range(3):
        assert await take(limiter, charge)
        clock.seconds += 2
    decision = await limiter.take(ticket(), [charge])

    assert decision.full_limit == charge.limit
    assert decision.retry_after == 4

    clock.seconds += 3.9
    assert not await take(limiter, charge)
    clock.seconds += 0.1
    assert await take(limiter, charge)
    assert not await take(limiter, charge), "the second oldest is two seconds younger"


async def test_refused_calls_do_not_lengthen_the_wait(
    limiter: RateLimiter, charge: Charge, clock: ManualClock
) -> None:
    for _ in range(3):
        await take(limiter, charge)
    for _ in range(50):
        clock.seconds += 0.1
        assert not await take(limiter, charge)

    clock.seconds += 5.0

    assert await take(limiter, charge)


async def test_one_full_limit_of_several_counts_on_none(
    limiter: RateLimiter, charge: Charge
) -> None:
    wide = Charge(RateLimit("wide", 4, 10), charge.key)
    for _ in range(3):
        assert await take(limiter, charge, wide)
    decisions = [await limiter.take(ticket(), [charge, wide]) for _ in range(5)]

    assert {decision.full_limit for decision in decisions} == {charge.limit}
    assert await take(limiter, wide)
    assert not await take(limiter, wide)


async def test_the_longest_wait_of_several_full_limits_is_returned(
    limiter: RateLimiter, charge: Charge
) -> None:
    long = Charge(RateLimit("long", 3, 100), charge.key)
    for _ in range(3):
        assert await take(limiter, charge, long)

    assert (await limiter.take(ticket(), [charge, long])).retry_after == 100
    assert (await limiter.take(ticket(), [long, charge])).full_limit == long.limit


async def test_a_refunded_charge_is_not_counted(limiter: RateLimiter, charge: Charge) -> None:
    first = ticket()
    await limiter.take(first, [charge])
    await take(limiter, charge)
    await take(limiter, charge)

    await limiter.refund(first, [charge])
    await limiter.refund(first, [charge])
    await limiter.refund("unknown", [charge])

    assert [await take(limiter, charge) for _ in range(2)] == [True, False]


async def test_a_reset_key_starts_at_zero_and_others_stay(
    limiter: RateLimiter, charge: Charge
) -> None:
    other = replace(charge, key=uuid4().hex)
    for _ in range(3):
        await take(limiter, charge, other)

    await limiter.reset([charge])

    assert await take(limiter, charge)
    assert not await take(limiter, other)


async def test_keys_and_limits_are_counted_separately(limiter: RateLimiter, charge: Charge) -> None:
    for _ in range(3):
        await take(limiter, charge)
    assert not await take(limiter, charge)

    assert await take(limiter, replace(charge, key=charge.key + "é"))
    assert await take(limiter, replace(charge, limit=replace(charge.limit, name="another")))


async def test_a_limit_of_zero_allows_nothing(limiter: RateLimiter) -> None:
    decision = await limiter.take(ticket(), [Charge(RateLimit("none", 0, 30), uuid4().hex)])

    assert decision.retry_after == 30


async def test_an_empty_list_of_charges_is_allowed(limiter: RateLimiter) -> None:
    assert await take(limiter)
