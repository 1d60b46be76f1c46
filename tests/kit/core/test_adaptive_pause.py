"""Small batches rest for as long as they took; what comes after a pause does not wait."""

import asyncio
from dataclasses import dataclass, field

import pytest

from shared.kit.core.adaptive_pause import MAX_PAUSE_SECONDS, AdaptivePause


@dataclass
class Hours:
    """A clock that only moves when somebody works or sleeps."""

    now: float = 100.0
    slept: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def paced(hours: Hours, worked: float, passed: float = 0.0) -> list[float]:
    pace = AdaptivePause(hours.monotonic, hours.sleep)
    with pace.measure():
        hours.now += worked
    hours.now += passed
    asyncio.run(pace.sleep())
    return hours.slept


@pytest.mark.parametrize("worked", [0.001, 0.004])
def test_pause_is_as_long_as_the_work(worked: float) -> None:
    assert paced(Hours(), worked) == [pytest.approx(worked)]


def test_pause_after_long_work_is_limited() -> None:
    assert paced(Hours(), 3.0) == [pytest.approx(MAX_PAUSE_SECONDS)]


def test_no_pause_after_an_idle_time() -> None:
    assert paced(Hours(), 0.004, passed=0.005) == []


def test_idle_time_shortens_the_pause() -> None:
    assert paced(Hours(), 0.004, passed=0.003) == [pytest.approx(0.001)]


def test_no_pause_before_the_first_work() -> None:
    hours = Hours()
    asyncio.run(AdaptivePause(hours.monotonic, hours.sleep).sleep())
    assert hours.slept == []


def test_failed_work_is_measured() -> None:
    hours = Hours()
    pace = AdaptivePause(hours.monotonic, hours.sleep)

    def fail() -> None:
        with pace.measure():
            hours.now += 0.002
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        fail()
    asyncio.run(pace.sleep())
    assert hours.slept == [pytest.approx(0.002)]
