"""Service-level objectives, in seconds or numbers: measured in every run, summarised in its line.

`limit` holds on an idle machine. Two busy cores take longer, so a missed limit is only counted and
reported. `violation_limit` is a violation, since no load explains it: several times the limit, or
the time after which the whole platform must be idle (I10).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.chaos.pods import TERMINATION_GRACE_SECONDS
from tests.chaos.violation import Violation


@dataclass(frozen=True)
class Objective:
    """A limit for an idle machine, and the one that is a violation on any machine."""

    name: str
    limit: float
    violation_limit: float
    in_seconds: bool = True


WORK_RESUMED = Objective("work goes on after a kill, s", 15, 90)
"""Every partition that had something to read, and the outbox, have moved, and all pods serve.
Fifteen: a session's time-out and a start. Several of either fit into six times that."""
POD_TERMINATED = Objective(
    "gone after SIGTERM, s", TERMINATION_GRACE_SECONDS, TERMINATION_GRACE_SECONDS
)
"""Kubernetes kills after that, also on a slow machine."""
POSTGRES_RESTARTED = Objective("PostgreSQL serves again after a crash, s", 5, 60)
"""What is replayed is bounded by a checkpoint; `start_part` gives up after a minute."""
APPLIED_AFTER_OUTAGE = Objective("applied after the broker's return, s", 30, 120)
"""All that was written by then, in each group. A flood may have come meanwhile."""
DEAD_LETTERED = Objective("dead letter with its cause, s", 30, 120)
"""Of poison since it was sent, and of a bug since the first failure: five tries take fifteen."""
REBALANCES = Objective("rebalances around a slow reader", 4, 12, in_seconds=False)
"""Each of two pods leaves when a batch of it was too long, and comes back. A ping-pong takes every
partition away every second or so, for the ten to fifteen seconds in which they are slow."""
INTERNAL_ERRORS = Objective("answers of 500", 0, 0, in_seconds=False)
"""Outages, delays and overload are reported as 503 and 504, also on a slow machine."""
UNEXPLAINED_ERRORS = Objective(
    "503 and 504 with nothing away, but for overload", 0, 10_000, in_seconds=False
)
"""No violation: a statement that waited too long on a slow machine is answered so too."""
LIVENESS_LATENCY = Objective("/health/live under hostile requests, s", 0.5, 20, in_seconds=False)
"""The slowest answer while bodies and texts are sent that were made to hold a process."""
SIGN_IN_WITHOUT_REDIS = Objective("signed in while Redis is away or full, s", 5, 60)
"""Hashing takes half a second of a core that a whole platform shares."""
OBJECTIVES = (
    WORK_RESUMED,
    POD_TERMINATED,
    POSTGRES_RESTARTED,
    APPLIED_AFTER_OUTAGE,
    DEAD_LETTERED,
    REBALANCES,
    INTERNAL_ERRORS,
    UNEXPLAINED_ERRORS,
    LIVENESS_LATENCY,
    SIGN_IN_WITHOUT_REDIS,
)


ALL_GROUPS = "all groups"
"""Whom a measurement is about that each group may hold up."""
HARMLESS_FAULTS = frozenset(
    {
        "flood", "duplicates", "odd times", "newer version", "poison", "Redis crash",
        "Redis flushed", "hostile bodies", "forged record", "Redis away at sign-in", "Redis full",
    }
)  # fmt: skip
"""Records are read in their turn, and no group waits for Redis."""
PLATFORM_WIDE_FAULTS = frozenset(
    {
        "broker restart", "broker unreachable", "broker away for a minute", "PostgreSQL crash",
        "disk full",
    }
)  # fmt: skip
"""No group can work without these servers."""


@dataclass(frozen=True)
class FaultInterval:
    """From when to when a fault lasted, in seconds of the run, and what it says of itself."""

    name: str
    began: float
    ended: float
    detail: str = ""

    def blocks(self, subject: str) -> bool:
        """Return whether it keeps all services, or the one that it names, from working."""
        if self.name in HARMLESS_FAULTS:
            return False
        return subject == ALL_GROUPS or self.name in PLATFORM_WIDE_FAULTS or subject in self.detail


@dataclass(frozen=True)
class Measurement:
    """One measurement. `ended` is None when it was not so in time.

    Seconds count from `began`, or from the end of the last other fault that hindered it, and not
    while one does: what cannot go on while the broker is away is not late for that.
    """

    objective: Objective
    subject: str
    began: float = 0.0
    ended: float | None = None
    number: float = 0.0
    own_fault: str = ""
    """The fault that it is about, which does not excuse it."""

    def value(self, faults: Iterable[FaultInterval]) -> float:
        """Return the measured value without the time in which other faults blocked the subject."""
        if not self.objective.in_seconds:
            return self.number
        if self.ended is None:
            return float("inf")
        other_faults = [
            fault for fault in faults if fault.name != self.own_fault and fault.blocks(self.subject)
        ]
        ends_before = [fault.ended for fault in other_faults if fault.ended <= self.ended]
        starts_during = [
            fault.began for fault in other_faults if fault.began < self.ended < fault.ended
        ]
        return max(min([self.ended, *starts_during]) - max([self.began, *ends_before]), 0.0)


@dataclass
class ObjectiveResult:
    """How often one promise was asked for in a run, how often it was kept, and the worst."""

    asked: int = 0
    kept: int = 0
    worst: float | None = 0.0
    """None: it never came."""


@dataclass
class Measurements:
    """All measurements of a run."""

    items: list[Measurement] = field(default_factory=list)

    def summarize(self, faults: Sequence[FaultInterval]) -> Mapping[str, ObjectiveResult]:
        """Say of each promise that was asked for how it was kept."""
        results: dict[str, ObjectiveResult] = defaultdict(ObjectiveResult)
        for measurement in self.items:
            value, result = measurement.value(faults), results[measurement.objective.name]
            result.asked += 1
            result.kept += value <= measurement.objective.limit
            worst = float("inf") if result.worst is None else result.worst
            highest = max(worst, value)
            result.worst = None if highest == float("inf") else round(highest, 1)
        return dict(results)

    def violations(self, faults: Sequence[FaultInterval]) -> list[Violation]:
        """Name what no load explains."""
        return [
            Violation("promise", measurement.subject, f"{measurement.objective.name}: {value:.1f}")
            for measurement in self.items
            if (value := measurement.value(faults)) > measurement.objective.violation_limit
        ]
