"""Where a fault plays, and what it leaves for the checker to know."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from dataclasses import dataclass, field
from random import Random

from shared.contracts.ids import TenantId
from tests.chaos.backlog import BacklogMonitor
from tests.chaos.objectives import Measurement, Measurements, Objective
from tests.chaos.platform import Platform
from tests.chaos.raw_kafka import RawKafka
from tests.chaos.violation import Violation

CURRENT_FAULT: ContextVar[str] = ContextVar("OWN", default="")
"""The fault in whose name something is done, and measured."""


@dataclass
class RunContext:
    """One run."""

    platform: Platform
    raw_kafka: RawKafka
    backlog: BacklogMonitor
    expected_dead_letters: set[tuple[str, int, int]] = field(default_factory=set)
    """Positions (topic, partition, offset) of poison records, which must become dead letters."""
    expected_effects: dict[TenantId, int] = field(default_factory=dict)
    """How many posts our own producer wrote in each of its tenants: one row each, in metrics."""
    violations: list[Violation] = field(default_factory=list)
    server_locks: dict[str, asyncio.Lock] = field(default_factory=dict)
    measurements: Measurements = field(default_factory=Measurements)
    began: float = 0.0
    background_measurements: list[asyncio.Task[None]] = field(default_factory=list)

    def lock_of(self, part: str) -> asyncio.Lock:
        """Return the lock of a server or service, so that one fault at a time stops it."""
        return self.server_locks.setdefault(part, asyncio.Lock())

    def now(self) -> float:
        """Return the seconds since the run began."""
        return time.monotonic() - self.began

    def measure(
        self,
        objective: Objective,
        subject: str,
        *,
        began: float = 0.0,
        ended: float | None = None,
        number: float = 0.0,
    ) -> None:
        """Keep a measurement."""
        own = CURRENT_FAULT.get()
        self.measurements.items.append(Measurement(objective, subject, began, ended, number, own))

    def measure_in_background(self, watching: Coroutine[None, None, None]) -> None:
        """Start a measurement that outlasts its fault; the run waits for it."""
        self.background_measurements.append(asyncio.create_task(watching))


FaultAction = Callable[[RunContext, Random], Awaitable[str]]


@dataclass(frozen=True)
class Fault:
    """A fault that can be drawn."""

    name: str
    action: FaultAction
    weight: float = 1.0
    duration_seconds: float = 5.0
    """Seconds, about: the workload goes on for longer."""


@dataclass
class FaultRecord:
    """A fault of a run: what, when (seconds since the run began), and how long until all is well.

    `recovered` is None when it did not come back in time.
    """

    name: str
    began: float
    ended: float = 0.0
    what: str = ""
    recovered: float | None = None
    accepted: int = 0
    """Requests that were answered with success while it lasted."""

    def __str__(self) -> str:
        """Format the state for the log of the run."""
        recovery = "never" if self.recovered is None else f"{self.recovered:.1f} s"
        interval = f"{self.began:6.1f}–{self.ended:5.1f} s"
        return f"{interval}  {self.name}: {self.what}; applied in {recovery}"


async def wait_until(look: Callable[[], bool], seconds: float) -> bool:
    """Wait until it is so; False when it is not in time."""
    deadline = time.monotonic() + seconds
    while not look():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.02)
    return True
