"""Rates: close to an exact window, cheap, and shared between processes where it matters."""

import asyncio
import time
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.kit.core.rate_limits import Charge, RateLimit
from shared.kit.limiting.rate_counter import RateCounter
from shared.kit.redis.client import RedisClient
from shared.kit.telemetry.noop import NoTelemetry
from tests.support.manual_clock import ManualClock

TEN = RateLimit("writes", 10, 10)


def takes(rates: RateCounter, number: int, *charges: Charge) -> int:
    return sum(rates.take(charges).allowed for _ in range(number))


def test_burst_up_to_the_limit_passes_and_the_next_says_when() -> None:
    moment = ManualClock()
    rates, charge = RateCounter("notes", wall_clock=moment), Charge(TEN, "zoe")
    assert takes(rates, 236, charge) == 10

    refusal = rates.take((charge,))
    moment.seconds += refusal.wait_seconds + 1e-6

    assert refusal.full_limit == TEN
    assert 10 < refusal.wait_seconds <= 12
    assert rates.take((charge,)).allowed


@settings(max_examples=200, deadline=None)
@given(pauses=st.lists(st.floats(0, 6), min_size=1, max_size=150), most=st.integers(1, 20))
def test_no_window_of_any_history_holds_twice_the_limit(pauses: list[float], most: int) -> None:
    moment, moments = ManualClock(), []
    rates, charge = (
        RateCounter("notes", wall_clock=moment),
        Charge(RateLimit("any", most, 10), "zoe"),
    )
    for pause in pauses:
        moment.seconds += pause
        decision = rates.take((charge,))
        if decision.allowed:
            moments.append(moment.seconds)
        else:
            assert 0 < decision.wait_seconds <= 20
            later = RateCounter("notes", wall_clock=lambda: moment.seconds)
            assert later.take((charge,)).allowed
    for begin in moments:
        assert sum(begin <= each < begin + 10 for each in moments) <= 2 * most


@settings(max_examples=100, deadline=None)
@given(pauses=st.lists(st.floats(0, 3), min_size=1, max_size=60), most=st.integers(1, 9))
def test_waiting_as_long_as_it_says_is_enough(pauses: list[float], most: int) -> None:
    moment = ManualClock()
    rates, charge = (
        RateCounter("notes", wall_clock=moment),
        Charge(RateLimit("any", most, 10), "zoe"),
    )
    for pause in pauses:
        moment.seconds += pause
        decision = rates.take((charge,))
        if not decision.allowed:
            moment.seconds += decision.wait_seconds + 1e-6
            assert rates.take((charge,)).allowed


def test_border_between_two_buckets_gives_no_second_burst() -> None:
    moment = ManualClock()
    rates, charge = RateCounter("notes", wall_clock=moment), Charge(TEN, "zoe")
    moment.seconds = 1_009.9
    assert takes(rates, 20, charge) == 10

    moment.seconds = 1_010.1
    assert takes(rates, 20, charge) == 0
    moment.seconds = 1_015.0
    assert takes(rates, 20, charge) == 5


def test_steady_sender_below_the_limit_is_never_refused() -> None:
    moment = ManualClock()
    rates, charge = RateCounter("notes", wall_clock=moment), Charge(TEN, "zoe")
    for _ in range(500):
        assert rates.take((charge,)).allowed
        moment.seconds += 1.2


def test_full_limit_of_several_counts_on_none() -> None:
    rates = RateCounter("notes", wall_clock=ManualClock())
    member, tenant = Charge(TEN, "zoe"), Charge(RateLimit("tenant", 30, 10), "academie")
    assert takes(rates, 100, member, tenant) == 10

    assert takes(rates, 100, Charge(TEN, "hamid"), tenant) == 10
    assert takes(rates, 100, Charge(TEN, "malik"), tenant) == 10
    assert takes(rates, 100, Charge(TEN, "ines"), tenant) == 0


def test_keys_have_an_end() -> None:
    rates = RateCounter("notes", wall_clock=ManualClock(), max_keys=5)
    for number in range(100):
        rates.take((Charge(TEN, str(number)),))

    assert len(rates._counts) == 5


def test_check_of_two_limits_costs_microseconds() -> None:
    rates = RateCounter("notes")
    charges = (
        Charge(RateLimit("a", 10**9, 10), "zoe"),
        Charge(RateLimit("b", 10**9, 10), "academie"),
    )
    began = time.thread_time()
    for _ in range(5_000):
        rates.take(charges)

    assert (time.thread_time() - began) / 5_000 < 100e-6


@pytest.mark.allow_hosts(["127.0.0.1"])
async def test_processes_learn_from_each_other_once_a_key_is_busy(redis: RedisClient) -> None:
    moment, charge = ManualClock(), Charge(RateLimit("shared", 40, 10), uuid4().hex)
    first, second = (RateCounter("notes", redis, wall_clock=moment) for _ in range(2))
    assert takes(first, 40, charge) == 40
    await _settled(first)
    # The last ones were counted after the first was told: they are told half a second later.
    moment.seconds += 1
    first.take((charge,))
    passed = 0
    for _ in range(100):
        passed += takes(second, 1, charge)
        await _settled(second)

    assert passed <= 40 * 0.25 + 1
    await first.close()
    await second.close()


@pytest.mark.allow_hosts(["127.0.0.1"])
async def test_without_redis_the_process_keeps_its_limit_and_what_it_must_tell() -> None:
    client = RedisClient("redis://127.0.0.1:1/0", NoTelemetry())
    rates, charge = RateCounter("notes", client, wall_clock=ManualClock()), Charge(TEN, "zoe")
    assert takes(rates, 50, charge) == 10
    await _settled(rates)

    (count,) = rates._counts.values()
    assert count.pending == 10
    await rates.close()
    await client.close()


async def _settled(rates: RateCounter) -> None:
    if rates._syncing is not None:
        await asyncio.wait([rates._syncing])
