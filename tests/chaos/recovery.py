"""What is measured after a fault has struck: when work goes on, when what is dead is buried."""

import asyncio
from collections.abc import Collection, Sequence

from tests.chaos.backlog import CONNECTION_ERRORS, GROUPS
from tests.chaos.checker.tables import Row
from tests.chaos.log_counts import REVOKED, LogCounter
from tests.chaos.objectives import ALL_GROUPS, DEAD_LETTERED, REBALANCES, WORK_RESUMED
from tests.chaos.run_context import RunContext
from tests.support.plain_clients import fetch_as_owner

POLL_INTERVAL_SECONDS = 1.0
_READS = "SELECT DISTINCT topic FROM positions WHERE consumer_group = $1"
_DEAD = """
    SELECT topic, partition, "offset", COALESCE(cause, '') AS cause,
           extract(epoch FROM now() - first_failed)::float AS age
    FROM parked WHERE consumer_group = $1 AND state = 'dead'
"""
RecordPosition = tuple[str, int, int]


async def measure_recovery(scene: RunContext, service: str) -> None:
    """Measure how long it takes until all pods of a service serve and all that waited has moved."""
    began = scene.now()
    moved, *ready = await asyncio.gather(
        scene.backlog.seconds_until_progress(service, WORK_RESUMED.violation_limit),
        *(
            pod.wait_until_ready(WORK_RESUMED.violation_limit)
            for pod in scene.platform.pods_of(service)
        ),
    )
    ended = scene.now() if all(ready) and moved is not None else None
    scene.measure(WORK_RESUMED, service, began=began, ended=ended)


async def measure_dead_lettering(scene: RunContext, places: Sequence[RecordPosition]) -> None:
    """Measure how long it takes until each group that reads a poison names it as dead."""
    began, deadline = scene.now(), scene.now() + DEAD_LETTERED.violation_limit
    left: dict[str, set[RecordPosition]] = {}
    for group in GROUPS:
        topics = {row["topic"] for row in await _patiently(scene, group, _READS, deadline)}
        left[group] = {place for place in places if place[0] in topics}
    while any(left.values()) and scene.now() < deadline:
        await asyncio.sleep(POLL_INTERVAL_SECONDS)
        for group, waited in left.items():
            if waited:
                rows = await _patiently(scene, group, _DEAD, deadline)
                waited -= {(row["topic"], row["partition"], row["offset"]) for row in rows}
    scene.measure(
        DEAD_LETTERED, ALL_GROUPS, began=began, ended=None if any(left.values()) else scene.now()
    )


async def measure_dead_letter_age(scene: RunContext, group: str, cause: str, until: float) -> None:
    """Measure how old a failure is when it is given up, of what dies in a group meanwhile."""
    seen: dict[RecordPosition, float] = {}
    first = True
    while scene.now() < until:
        for row in await _patiently(scene, group, _DEAD, until):
            place = (row["topic"], row["partition"], row["offset"])
            if row["cause"].startswith(cause):
                # What was dead before the bug began was measured by another.
                seen.setdefault(place, 0.0 if first else row["age"])
        first = False
        await asyncio.sleep(POLL_INTERVAL_SECONDS)
    if worst := max(seen.values(), default=0.0):
        scene.measure(DEAD_LETTERED, group, began=scene.now() - worst, ended=scene.now())


def measure_rebalances(scene: RunContext, service: str, notes: LogCounter) -> None:
    """Count how often partitions were taken away since these notes began."""
    logs = [pod.log for pod in scene.platform.pods_of(service)]
    counted = notes.count(logs)
    scene.measure(REBALANCES, service, number=counted[REVOKED, service])


async def _patiently(scene: RunContext, group: str, query: str, until: float) -> Collection[Row]:
    """Ask, again while the server is away; nothing when it stays away."""
    while scene.now() < until:
        try:
            return await fetch_as_owner(scene.platform.addresses, group, query, group)
        except CONNECTION_ERRORS:
            await asyncio.sleep(POLL_INTERVAL_SECONDS)
    return []
