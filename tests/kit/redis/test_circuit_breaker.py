"""The circuit breaker: when it opens, what it lets through, when it closes."""

from shared.kit.redis.circuit_breaker import CircuitBreaker


class Moment:
    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_breaker_opens_after_three_failures_in_a_row() -> None:
    breaker = CircuitBreaker(max_failures=3, pause=5, monotonic=Moment())
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
    moment = Moment()
    breaker = CircuitBreaker(max_failures=1, pause=5, monotonic=moment)
    breaker.record_failure()
    moment.seconds += 4.9
    assert not breaker.allows_call()

    moment.seconds += 0.2

    assert [breaker.allows_call() for _ in range(3)] == [True, False, False]
    breaker.record_failure()
    assert not breaker.allows_call()


def test_success_closes_the_breaker() -> None:
    moment = Moment()
    breaker = CircuitBreaker(max_failures=1, pause=5, monotonic=moment)
    breaker.record_failure()
    moment.seconds += 6
    assert breaker.allows_call()

    breaker.record_success()

    assert not breaker.is_open
    assert [breaker.allows_call() for _ in range(3)] == [True, True, True]
