"""Which connections are closed: late ones, and the oldest above a limit."""

from dataclasses import dataclass
from typing import Any

from shared.kit.web.client_address import UNKNOWN_ADDRESS
from shared.kit.web.slow_clients import SlowClientLimits, SlowClientMonitor


@dataclass(eq=False)
class FakeConnection:
    """A connection that records its rejection."""

    peer: str = "10.0.0.1"
    late: bool = False
    rejected: bool = False

    def is_late(self, now: float) -> bool:
        return self.late

    def client_address(self) -> str:
        return self.peer

    def reject(self) -> None:
        self.rejected = True


@dataclass
class Clock:
    """A clock that a test sets, in seconds."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def slow_client_monitor(clock: Clock, **limits: Any) -> SlowClientMonitor:
    return SlowClientMonitor(SlowClientLimits(**limits), clock)


def test_late_request_is_closed_and_a_young_one_is_not() -> None:
    clock = Clock()
    monitor, young, late = (
        slow_client_monitor(clock),
        FakeConnection(late=True),
        FakeConnection(late=True),
    )
    monitor.record_start(late)
    clock.now += 5
    monitor.record_start(young)
    monitor.sweep()
    assert (late.rejected, young.rejected) == (True, False)


def test_oldest_requests_of_an_address_are_closed_above_its_limit() -> None:
    clock = Clock()
    monitor = slow_client_monitor(clock, per_address=3)
    own = [FakeConnection() for _ in range(5)]
    other_address = [FakeConnection("10.0.0.2") for _ in range(3)]
    unknown_address = [FakeConnection(UNKNOWN_ADDRESS) for _ in range(5)]
    for connection in (*own, *other_address, *unknown_address):
        monitor.record_start(connection)
    clock.now += 5
    fast = [FakeConnection() for _ in range(20)]
    for connection in fast:
        monitor.record_start(connection)
    monitor.sweep()
    assert [connection.rejected for connection in own] == [True, True, False, False, False]
    assert not any(connection.rejected for connection in (*other_address, *unknown_address, *fast))


def test_oldest_requests_are_closed_above_the_total_limit() -> None:
    clock = Clock()
    monitor = slow_client_monitor(clock, in_all=2)
    connections = [FakeConnection(f"10.0.0.{number}") for number in range(4)]
    for connection in connections:
        monitor.record_start(connection)
    clock.now += 5
    monitor.sweep()
    assert [connection.rejected for connection in connections] == [True, True, False, False]


def test_finished_request_is_never_closed() -> None:
    clock = Clock()
    monitor, finished = slow_client_monitor(clock), FakeConnection(late=True)
    monitor.record_start(finished)
    monitor.record_end(finished)
    clock.now += 500
    monitor.sweep()
    assert not finished.rejected


def test_time_to_read_grows_with_the_unread_bytes() -> None:
    clock = Clock()
    monitor, small, large = slow_client_monitor(clock), FakeConnection(), FakeConnection()
    monitor.record_stalled_response(small, 0)
    monitor.record_stalled_response(large, 1_000_000)
    clock.now += 31
    monitor.sweep()
    assert (small.rejected, large.rejected) == (True, False)
    clock.now += 100
    monitor.record_resumed_response(large)
    monitor.sweep()
    assert not large.rejected
