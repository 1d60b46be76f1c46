"""What every implementation of the limiter promises."""

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


async def test_of_parallel_calls_exactly_the_limit_is_allowed(limiter: RateLimiter) -> None:
    charge = Charge(RateLimit("parallel", 17, 60), uuid4().hex)

    answers = await asyncio.gather(*(take(limiter, charge) for _ in range(100)))

    assert answers.count(True) == 17


async def test_full_limit_says_how_long_until_its_oldest_leaves(
    limiter: RateLimiter, charge: Charge, moment: ManualClock
) -> None:
    for _ in range(3):
        assert await take(limiter, charge)
        moment.seconds += 2
    refusal = await limiter.take(ticket(), [charge])

    assert refusal.full_limit == charge.limit
    assert refusal.retry_after == 4

    moment.seconds += 3.9
    assert not await take(limiter, charge)
    moment.seconds += 0.1
    assert await take(limiter, charge)
    assert not await take(limiter, charge), "the second oldest is two seconds younger"


async def test_refused_calls_do_not_lengthen_the_wait(
    limiter: RateLimiter, charge: Charge, moment: ManualClock
) -> None:
    for _ in range(3):
        await take(limiter, charge)
    for _ in range(50):
        moment.seconds += 0.1
        assert not await take(limiter, charge)

    moment.seconds += 5.0

    assert await take(limiter, charge)


async def test_one_full_limit_of_several_counts_on_none(
    limiter: RateLimiter, charge: Charge
) -> None:
    wide = Charge(RateLimit("wide", 4, 10), charge.key)
    for _ in range(3):
        assert await take(limiter, charge, wide)
    refusals = [await limiter.take(ticket(), [charge, wide]) for _ in range(5)]

    assert {refusal.full_limit for refusal in refusals} == {charge.limit}
    assert await take(limiter, wide)
    assert not await take(limiter, wide)


async def test_longest_wait_of_several_full_limits_is_given(
    limiter: RateLimiter, charge: Charge
) -> None:
    long = Charge(RateLimit("long", 3, 100), charge.key)
    for _ in range(3):
        assert await take(limiter, charge, long)

    assert (await limiter.take(ticket(), [charge, long])).retry_after == 100
    assert (await limiter.take(ticket(), [long, charge])).full_limit == long.limit


async def test_what_is_given_back_counts_no_more(limiter: RateLimiter, charge: Charge) -> None:
    first = ticket()
    await limiter.take(first, [charge])
    await take(limiter, charge)
    await take(limiter, charge)

    await limiter.refund(first, [charge])
    await limiter.refund(first, [charge])
    await limiter.refund("unknown", [charge])

    assert [await take(limiter, charge) for _ in range(2)] == [True, False]


async def test_forgotten_keys_begin_at_zero_and_other_keys_do_not(
    limiter: RateLimiter, charge: Charge
) -> None:
    other = replace(charge, key=uuid4().hex)
    for _ in range(3):
        await take(limiter, charge, other)

    await limiter.reset([charge])

    assert await take(limiter, charge)
    assert not await take(limiter, other)


async def test_keys_and_limits_are_counted_apart(limiter: RateLimiter, charge: Charge) -> None:
    for _ in range(3):
        await take(limiter, charge)
    assert not await take(limiter, charge)

    assert await take(limiter, replace(charge, key=charge.key + "é"))
    assert await take(limiter, replace(charge, limit=replace(charge.limit, name="another")))


async def test_limit_of_none_allows_nothing(limiter: RateLimiter) -> None:
    refusal = await limiter.take(ticket(), [Charge(RateLimit("none", 0, 30), uuid4().hex)])

    assert refusal.retry_after == 30


async def test_no_charges_are_always_allowed(limiter: RateLimiter) -> None:
    assert await take(limiter)
