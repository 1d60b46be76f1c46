"""What is measured after a fault has struck: when work goes on, when what is dead is buried."""

import asyncio
from collections.abc import Collection, Sequence

from tests.chaos.backlog import GROUPS, TROUBLE
from tests.chaos.checking.tables import Row
from tests.chaos.notes import REVOKED, Notes
from tests.chaos.promises import BURIED, CALM, EVERYBODY, RESUMED
from tests.chaos.scene import Scene
from tests.support.plain_clients import sql

LOOK_EVERY = 1.0
_READS = "SELECT DISTINCT topic FROM positions WHERE consumer_group = $1"
_DEAD = """
    SELECT topic, partition, "offset", COALESCE(cause, '') AS cause,
           extract(epoch FROM now() - first_failed)::float AS age
    FROM parked WHERE consumer_group = $1 AND state = 'dead'
"""
Placed = tuple[str, int, int]


async def resumed(scene: Scene, service: str) -> None:
    """Measure how long it takes until all pods of a service serve and all that waited has moved."""
    began = scene.now()
    moved, *ready = await asyncio.gather(
        scene.backlog.gone_on_after(service, RESUMED.never),
        *(pod.ready(RESUMED.never) for pod in scene.platform.of(service)),
    )
    ended = scene.now() if all(ready) and moved is not None else None
    scene.measure(RESUMED, service, began=began, ended=ended)


async def buried(scene: Scene, places: Sequence[Placed]) -> None:
    """Measure how long it takes until each group that reads a poison names it as dead."""
    began, deadline = scene.now(), scene.now() + BURIED.never
    left: dict[str, set[Placed]] = {}
    for group in GROUPS:
        topics = {row["topic"] for row in await _patiently(scene, group, _READS, deadline)}
        left[group] = {place for place in places if place[0] in topics}
    while any(left.values()) and scene.now() < deadline:
        await asyncio.sleep(LOOK_EVERY)
        for group, waited in left.items():
            if waited:
                rows = await _patiently(scene, group, _DEAD, deadline)
                waited -= {(row["topic"], row["partition"], row["offset"]) for row in rows}
    scene.measure(BURIED, EVERYBODY, began=began, ended=None if any(left.values()) else scene.now())


async def dead_of(scene: Scene, group: str, cause: str, until: float) -> None:
    """Measure how old a failure is when it is given up, of what dies in a group meanwhile."""
    seen: dict[Placed, float] = {}
    first = True
    while scene.now() < until:
        for row in await _patiently(scene, group, _DEAD, until):
            place = (row["topic"], row["partition"], row["offset"])
            if row["cause"].startswith(cause):
                # What was dead before the bug began was measured by another.
                seen.setdefault(place, 0.0 if first else row["age"])
        first = False
        await asyncio.sleep(LOOK_EVERY)
    if worst := max(seen.values(), default=0.0):
        scene.measure(BURIED, group, began=scene.now() - worst, ended=scene.now())


def rebalances(scene: Scene, service: str, notes: Notes) -> None:
    """Count how often partitions were taken away since these notes began."""
    logs = [pod.log for pod in scene.platform.of(service)]
    counted = notes.counted(logs)
    scene.measure(CALM, service, number=counted[REVOKED, service])


async def _patiently(scene: Scene, group: str, query: str, until: float) -> Collection[Row]:
    """Ask, again while the server is away; nothing when it stays away."""
    while scene.now() < until:
        try:
            return await sql(scene.platform.addresses, group, query, group)
        except TROUBLE:
            await asyncio.sleep(LOOK_EVERY)
    return []
