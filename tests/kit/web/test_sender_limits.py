"""Which connections are closed: those that had their time, and the oldest where there are many."""

from dataclasses import dataclass
from typing import Any

from shared.kit.web.client_address import UNKNOWN_ADDRESS
from shared.kit.web.slow_clients import SlowClientLimits, SlowClientMonitor


@dataclass(eq=False)
class Slow:
    """A connection that notes that it was given up."""

    peer: str = "10.0.0.1"
    late: bool = False
    gone: bool = False

    def is_late(self, now: float) -> bool:
        return self.late

    def client_address(self) -> str:
        return self.peer

    def reject(self) -> None:
        self.gone = True


@dataclass
class Clock:
    """Seconds that a test sets."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def senders(clock: Clock, **limits: Any) -> SlowClientMonitor:
    return SlowClientMonitor(SlowClientLimits(**limits), clock)


def test_young_request_is_left_alone_and_a_late_one_is_closed() -> None:
    clock = Clock()
    watched, young, late = senders(clock), Slow(late=True), Slow(late=True)
    watched.record_start(late)
    clock.now += 5
    watched.record_start(young)
    watched.sweep()
    assert (late.gone, young.gone) == (True, False)


def test_oldest_of_an_address_are_closed_above_its_limit() -> None:
    clock = Clock()
    watched = senders(clock, per_address=3)
    mine = [Slow() for _ in range(5)]
    neighbours = [Slow("10.0.0.2") for _ in range(3)]
    strangers = [Slow(UNKNOWN_ADDRESS) for _ in range(5)]
    for connection in (*mine, *neighbours, *strangers):
        watched.record_start(connection)
    clock.now += 5
    fast = [Slow() for _ in range(20)]
    for connection in fast:
        watched.record_start(connection)
    watched.sweep()
    assert [each.gone for each in mine] == [True, True, False, False, False]
    assert not any(each.gone for each in (*neighbours, *strangers, *fast))


def test_oldest_of_all_are_closed_above_the_whole_limit() -> None:
    clock = Clock()
    watched = senders(clock, in_all=2)
    everybody = [Slow(f"10.0.0.{number}") for number in range(4)]
    for connection in everybody:
        watched.record_start(connection)
    clock.now += 5
    watched.sweep()
    assert [each.gone for each in everybody] == [True, True, False, False]


def test_finished_request_is_never_closed() -> None:
    clock = Clock()
    watched, done = senders(clock), Slow(late=True)
    watched.record_start(done)
    watched.record_end(done)
    clock.now += 500
    watched.sweep()
    assert not done.gone


def test_reader_earns_time_by_the_bytes_that_wait() -> None:
    clock = Clock()
    watched, small, large = senders(clock), Slow(), Slow()
    watched.record_stalled_response(small, 0)
    watched.record_stalled_response(large, 1_000_000)
    clock.now += 31
    watched.sweep()
    assert (small.gone, large.gone) == (True, False)
    clock.now += 100
    watched.record_resumed_response(large)
    watched.sweep()
    assert not large.gone
