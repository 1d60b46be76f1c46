"""Which faults a run gets, and when: known from the seed alone."""

from dataclasses import dataclass
from random import Random

from tests.chaos.faults import attacks, deployments, processes, records, servers
from tests.chaos.run_context import Fault

FAULTS = (
    Fault("kill at a step", processes.kill_at_step, weight=8),
    Fault("kill", processes.kill_at_random, weight=1),
    Fault("SIGTERM", processes.terminate, weight=2),
    Fault("zombie", processes.suspend_pod, weight=2, duration_seconds=25),
    Fault("slow consumer", processes.slow_consumer, weight=1, duration_seconds=15),
    Fault("handler bug", processes.handler_bug, weight=2),
    Fault("long handler bug", processes.long_bug, weight=0.7, duration_seconds=25),
    Fault("bad deployment", processes.bad_deployment, weight=0.5, duration_seconds=20),
    Fault("scaling", deployments.scaling, weight=1, duration_seconds=25),
    Fault("next build", deployments.run_next_build, weight=0.5, duration_seconds=20),
    Fault("broker restart", servers.restart_broker, weight=2, duration_seconds=8),
    Fault("broker unreachable", servers.cut_broker, weight=2, duration_seconds=10),
    Fault(
        "broker away for a minute", servers.cut_broker_for_a_minute, weight=0.3, duration_seconds=60
    ),
    Fault("PostgreSQL crash", servers.crash_postgres, weight=2),
    Fault("Redis crash", servers.crash_redis, weight=0.3),
    Fault("Redis flushed", servers.flush_redis, weight=0.3),
    Fault("disk full", servers.fill_disk, weight=0.7, duration_seconds=8),
    Fault("poison", records.send_poison, weight=2, duration_seconds=1),
    Fault("duplicates", records.send_duplicates, weight=2, duration_seconds=1),
    Fault("odd times", records.send_odd_times, weight=1.5, duration_seconds=1),
    Fault("newer version", records.send_newer_version, weight=1, duration_seconds=1),
    Fault("hostile bodies", attacks.hostile_bodies, weight=1, duration_seconds=10),
    Fault("forged record", attacks.forged_record, weight=1, duration_seconds=1),
    Fault("Redis away at sign-in", attacks.redis_away_at_sign_in, weight=0.5, duration_seconds=6),
    Fault("Redis full", attacks.redis_full, weight=0.5, duration_seconds=6),
    Fault("flood", records.send_flood, weight=1, duration_seconds=1),
)
BY_NAME = {fault.name: fault for fault in FAULTS}
QUIET_SECONDS = 2.0
"""Seconds of workload before the first fault and after the last."""
SPREAD_SECONDS = 14.0


@dataclass(frozen=True)
class PlannedFault:
    """A fault to come: seconds after the run's begin, and the numbers that it draws from."""

    start_seconds: float
    fault: Fault
    rng: Random


def plan_faults(
    seed: int, only: tuple[str, ...] = (), additional: tuple[str, ...] = ()
) -> list[PlannedFault]:
    """Draw three to six faults, `also` beside them; `only` names them instead, in this order."""
    rng = Random(f"faults {seed}")
    names = only or (*additional, *_draw_names(seed, rng))
    times = sorted(rng.uniform(QUIET_SECONDS, QUIET_SECONDS + SPREAD_SECONDS) for _ in names)
    return [
        PlannedFault(at, BY_NAME[name], Random(f"faults {seed} {number} {name}"))
        for number, (at, name) in enumerate(zip(times, names, strict=True))
    ]


def _draw_names(seed: int, rng: Random) -> tuple[str, ...]:
    """Draw by weight, beside the one whose turn it is: in a row of seeds none is left out."""
    weights = [fault.weight for fault in FAULTS]
    chosen = rng.choices(FAULTS, weights, k=rng.randint(2, 5))
    # A flood in every run: the rest is about what happens to events, so let there be many.
    return ("flood", FAULTS[seed % len(FAULTS)].name, *(fault.name for fault in chosen))


def workload_seconds(faults: list[PlannedFault]) -> float:
    """Return how long the workload lasts: a little longer than the last fault."""
    return (
        max(fault.start_seconds + fault.fault.duration_seconds for fault in faults) + QUIET_SECONDS
    )
