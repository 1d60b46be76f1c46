"""RateCounter: close to an exact window, cheap, and shared between processes near a limit."""

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


def count_allowed(counter: RateCounter, number: int, *charges: Charge) -> int:
    return sum(counter.take(charges).allowed for _ in range(number))


def test_a_burst_up_to_the_limit_passes_and_then_returns_a_wait() -> None:
    clock = ManualClock()
    counter, charge = RateCounter("notes", wall_clock=clock), Charge(TEN, "zoe")
    assert count_allowed(counter, 236, charge) == 10

    decision = counter.take((charge,))
    clock.seconds += decision.wait_seconds + 1e-6

    assert decision.full_limit == TEN
    assert 10 < decision.wait_seconds <= 12
    assert counter.take((charge,)).allowed


@settings(max_examples=200, deadline=None)
@given(pauses=st.lists(st.floats(0, 6), min_size=1, max_size=150), max_charges=st.integers(1, 20))
def test_no_window_of_any_history_holds_twice_the_limit(
    pauses: list[float], max_charges: int
) -> None:
    clock, moments = ManualClock(), []
    counter, charge = (
        RateCounter("notes", wall_clock=clock),
        Charge(RateLimit("any", max_charges, 10), "zoe"),
    )
    for pause in pauses:
        clock.seconds += pause
        decision = counter.take((charge,))
        if decision.allowed:
            moments.append(clock.seconds)
        else:
            assert 0 < decision.wait_seconds <= 20
            fresh_counter = RateCounter("notes", wall_clock=lambda: clock.seconds)
            assert fresh_counter.take((charge,)).allowed
    for begin in moments:
        assert sum(begin <= time < begin + 10 for time in moments) <= 2 * max_charges


@settings(max_examples=100, deadline=None)
@given(pauses=st.lists(st.floats(0, 3), min_size=1, max_size=60), max_charges=st.integers(1, 9))
def test_a_charge_after_the_returned_wait_is_allowed(pauses: list[float], max_charges: int) -> None:
    clock = ManualClock()
    counter, charge = (
        RateCounter("notes", wall_clock=clock),
        Charge(RateLimit("any", max_charges, 10), "zoe"),
    )
    for pause in pauses:
        clock.seconds += pause
        decision = counter.take((charge,))
        if not decision.allowed:
            clock.seconds += decision.wait_seconds + 1e-6
            assert counter.take((charge,)).allowed


def test_a_new_bucket_allows_no_second_burst() -> None:
    clock = ManualClock()
    counter, charge = RateCounter("notes", wall_clock=clock), Charge(TEN, "zoe")
    clock.seconds = 1_009.9
    assert count_allowed(counter, 20, charge) == 10

    clock.seconds = 1_010.1
    assert count_allowed(counter, 20, charge) == 0
    clock.seconds = 1_015.0
    assert count_allowed(counter, 20, charge) == 5


def test_a_steady_sender_below_the_limit_is_always_allowed() -> None:
    clock = ManualClock()
    counter, charge = RateCounter("notes", wall_clock=clock), Charge(TEN, "zoe")
    for _ in range(500):
        assert counter.take((charge,)).allowed
        clock.seconds += 1.2


def test_full_limit_of_several_counts_on_none() -> None:
    counter = RateCounter("notes", wall_clock=ManualClock())
    member, tenant = Charge(TEN, "zoe"), Charge(RateLimit("tenant", 30, 10), "academie")
    assert count_allowed(counter, 100, member, tenant) == 10

    assert count_allowed(counter, 100, Charge(TEN, "hamid"), tenant) == 10
    assert count_allowed(counter, 100, Charge(TEN, "malik"), tenant) == 10
    assert count_allowed(counter, 100, Charge(TEN, "ines"), tenant) == 0


def test_the_number_of_keys_is_bounded() -> None:
    counter = RateCounter("notes", wall_clock=ManualClock(), max_keys=5)
    for number in range(100):
        counter.take((Charge(TEN, str(number)),))

    assert len(counter._counts) == 5


def test_check_of_two_limits_costs_microseconds() -> None:
    counter = RateCounter("notes")
    charges = (
        Charge(RateLimit("a", 10**9, 10), "zoe"),
        Charge(RateLimit("b", 10**9, 10), "academie"),
    )
    began = time.thread_time()
    for _ in range(5_000):
        counter.take(charges)

    assert (time.thread_time() - began) / 5_000 < 100e-6


@pytest.mark.allow_hosts(["127.0.0.1"])
async def test_processes_share_the_count_of_a_busy_key(redis: RedisClient) -> None:
    clock, charge = ManualClock(), Charge(RateLimit("shared", 40, 10), uuid4().hex)
    first, second = (RateCounter("notes", redis, wall_clock=clock) for _ in range(2))
    assert count_allowed(first, 40, charge) == 40
    await _wait_for_sync(first)
    # The last charges are synchronised at the next interval.
    clock.seconds += 1
    first.take((charge,))
    passed = 0
    for _ in range(100):
        passed += count_allowed(second, 1, charge)
        await _wait_for_sync(second)

    assert passed <= 40 * 0.25 + 1
    await first.close()
    await second.close()


@pytest.mark.allow_hosts(["127.0.0.1"])
async def test_without_redis_a_process_keeps_its_pending_count() -> None:
    client = RedisClient("redis://127.0.0.1:1/0", NoTelemetry())
    counter, charge = RateCounter("notes", client, wall_clock=ManualClock()), Charge(TEN, "zoe")
    assert count_allowed(counter, 50, charge) == 10
    await _wait_for_sync(counter)

    (count,) = counter._counts.values()
    assert count.pending == 10
    await counter.close()
    await client.close()


async def _wait_for_sync(counter: RateCounter) -> None:
    if counter._sync_task is not None:
        await asyncio.wait([counter._sync_task])
