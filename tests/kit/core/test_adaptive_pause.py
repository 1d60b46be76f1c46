"""The pause is as long as the last batch; a batch after an idle time does not wait."""

import asyncio
from dataclasses import dataclass, field

import pytest

from shared.kit.core.adaptive_pause import MAX_PAUSE_SECONDS, AdaptivePause


@dataclass
class FakeClock:
    """A clock that advances only during work or sleep."""

    now: float = 100.0
    slept: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def sleep_after_work(clock: FakeClock, worked: float, passed: float = 0.0) -> list[float]:
    pace = AdaptivePause(clock.monotonic, clock.sleep)
    with pace.measure():
        clock.now += worked
    clock.now += passed
    asyncio.run(pace.sleep())
    return clock.slept


@pytest.mark.parametrize("worked", [0.001, 0.004])
def test_pause_is_as_long_as_the_work(worked: float) -> None:
    assert sleep_after_work(FakeClock(), worked) == [pytest.approx(worked)]


def test_pause_after_long_work_is_limited() -> None:
    assert sleep_after_work(FakeClock(), 3.0) == [pytest.approx(MAX_PAUSE_SECONDS)]


def test_no_pause_after_an_idle_time() -> None:
    assert sleep_after_work(FakeClock(), 0.004, passed=0.005) == []


def test_idle_time_shortens_the_pause() -> None:
    assert sleep_after_work(FakeClock(), 0.004, passed=0.003) == [pytest.approx(0.001)]


def test_no_pause_before_the_first_work() -> None:
    clock = FakeClock()
    asyncio.run(AdaptivePause(clock.monotonic, clock.sleep).sleep())
    assert clock.slept == []


def test_failed_work_is_measured() -> None:
    clock = FakeClock()
    pace = AdaptivePause(clock.monotonic, clock.sleep)

    def fail() -> None:
        with pace.measure():
            clock.now += 0.002
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        fail()
    asyncio.run(pace.sleep())
    assert clock.slept == [pytest.approx(0.002)]
