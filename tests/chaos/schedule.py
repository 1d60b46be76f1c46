"""Which faults a run gets, and when: known from the seed alone."""

from dataclasses import dataclass
from random import Random

from tests.chaos.inflicted import attacks, deployments, processes, records, servers
from tests.chaos.scene import Fault

FAULTS = (
    Fault("kill at a step", processes.kill_at_step, weight=8),
    Fault("kill", processes.kill_anywhere, weight=1),
    Fault("SIGTERM", processes.terminate, weight=2),
    Fault("zombie", processes.zombie, weight=2, lasts=25),
    Fault("slow consumer", processes.slow, weight=1, lasts=15),
    Fault("handler bug", processes.handler_bug, weight=2),
    Fault("long handler bug", processes.long_bug, weight=0.7, lasts=25),
    Fault("bad deployment", processes.bad_deployment, weight=0.5, lasts=20),
    Fault("scaling", deployments.scaling, weight=1, lasts=25),
    Fault("next build", deployments.next_build_for_a_while, weight=0.5, lasts=20),
    Fault("broker restart", servers.broker_restart, weight=2, lasts=8),
    Fault("broker unreachable", servers.broker_unreachable, weight=2, lasts=10),
    Fault("broker away for a minute", servers.broker_unreachable_for_long, weight=0.3, lasts=60),
    Fault("PostgreSQL crash", servers.postgres_crash, weight=2),
    Fault("Redis crash", servers.redis_crash, weight=0.3),
    Fault("Redis flushed", servers.redis_flushed, weight=0.3),
    Fault("disk full", servers.disk_full, weight=0.7, lasts=8),
    Fault("poison", records.poison, weight=2, lasts=1),
    Fault("duplicates", records.duplicates, weight=2, lasts=1),
    Fault("odd times", records.odd_times, weight=1.5, lasts=1),
    Fault("newer version", records.newer_version, weight=1, lasts=1),
    Fault("hostile bodies", attacks.hostile_bodies, weight=1, lasts=10),
    Fault("forged record", attacks.forged_record, weight=1, lasts=1),
    Fault("Redis away at sign-in", attacks.redis_away_at_sign_in, weight=0.5, lasts=6),
    Fault("Redis full", attacks.redis_full, weight=0.5, lasts=6),
    Fault("flood", records.flood, weight=1, lasts=1),
)
BY_NAME = {fault.name: fault for fault in FAULTS}
QUIET = 2.0
"""Seconds of workload before the first fault and after the last."""
SPREAD = 14.0


@dataclass(frozen=True)
class Planned:
    """A fault to come: seconds after the run's begin, and the numbers that it draws from."""

    at: float
    fault: Fault
    draw: Random


def plan(seed: int, only: tuple[str, ...] = (), also: tuple[str, ...] = ()) -> list[Planned]:
    """Draw three to six faults, `also` beside them; `only` names them instead, in this order."""
    draw = Random(f"faults {seed}")
    names = only or (*also, *_drawn(seed, draw))
    times = sorted(draw.uniform(QUIET, QUIET + SPREAD) for _ in names)
    return [
        Planned(at, BY_NAME[name], Random(f"faults {seed} {number} {name}"))
        for number, (at, name) in enumerate(zip(times, names, strict=True))
    ]


def _drawn(seed: int, draw: Random) -> tuple[str, ...]:
    """Draw by weight, beside the one whose turn it is: in a row of seeds none is left out."""
    weights = [fault.weight for fault in FAULTS]
    chosen = draw.choices(FAULTS, weights, k=draw.randint(2, 5))
    # A flood in every run: the rest is about what happens to events, so let there be many.
    return ("flood", FAULTS[seed % len(FAULTS)].name, *(fault.name for fault in chosen))


def seconds(planned: list[Planned]) -> float:
    """Say how long the workload goes on: until the last fault is over, about, and a little more."""
    return max(each.at + each.fault.lasts for each in planned) + QUIET
