"""CircuitBreaker: when it opens, which calls it allows, when it closes."""

from shared.kit.redis.circuit_breaker import CircuitBreaker
from tests.support.manual_clock import ManualClock


def test_breaker_opens_after_three_failures_in_a_row() -> None:
    breaker = CircuitBreaker(max_failures=3, pause=5, monotonic=ManualClock())
    for failure in (False, True, False):
        breaker.record_failure()
        if failure:
            breaker.record_success()
    assert breaker.allows_call()

    breaker.record_failure()
    breaker.record_failure()

    assert breaker.is_open
    assert not breaker.allows_call()


def test_open_breaker_allows_one_call_after_each_pause() -> None:
    clock = ManualClock()
    breaker = CircuitBreaker(max_failures=1, pause=5, monotonic=clock)
    breaker.record_failure()
    clock.seconds += 4.9
    assert not breaker.allows_call()

    clock.seconds += 0.2

    assert [breaker.allows_call() for _ in range(3)] == [True, False, False]
    breaker.record_failure()
    assert not breaker.allows_call()


def test_success_closes_the_breaker() -> None:
    clock = ManualClock()
    breaker = CircuitBreaker(max_failures=1, pause=5, monotonic=clock)
    breaker.record_failure()
    clock.seconds += 6
    assert breaker.allows_call()

    breaker.record_success()

    assert not breaker.is_open
    assert [breaker.allows_call() for _ in range(3)] == [True, True, True]
