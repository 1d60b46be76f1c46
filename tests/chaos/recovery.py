"""Measurements after a fault: until work resumes, until a poison record is a dead letter."""

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


async def measure_recovery(context: RunContext, service: str) -> None:
    """Measure how long it takes until all pods of a service serve and all that waited has moved."""
    began = context.now()
    moved, *ready = await asyncio.gather(
        context.backlog.seconds_until_progress(service, WORK_RESUMED.violation_limit),
        *(
            pod.wait_until_ready(WORK_RESUMED.violation_limit)
            for pod in context.platform.pods_of(service)
        ),
    )
    ended = context.now() if all(ready) and moved is not None else None
    context.measure(WORK_RESUMED, service, began=began, ended=ended)


async def measure_dead_lettering(context: RunContext, places: Sequence[RecordPosition]) -> None:
    """Measure how long it takes until each group that reads a poison names it as dead."""
    began, deadline = context.now(), context.now() + DEAD_LETTERED.violation_limit
    waiting: dict[str, set[RecordPosition]] = {}
    for group in GROUPS:
        topics = {
            row["topic"] for row in await _fetch_with_retries(context, group, _READS, deadline)
        }
        waiting[group] = {position for position in places if position[0] in topics}
    while any(waiting.values()) and context.now() < deadline:
        await asyncio.sleep(POLL_INTERVAL_SECONDS)
        for group, positions_left in waiting.items():
            if positions_left:
                rows = await _fetch_with_retries(context, group, _DEAD, deadline)
                positions_left -= {(row["topic"], row["partition"], row["offset"]) for row in rows}
    context.measure(
        DEAD_LETTERED,
        ALL_GROUPS,
        began=began,
        ended=None if any(waiting.values()) else context.now(),
    )


async def measure_dead_letter_age(
    context: RunContext, group: str, cause: str, until: float
) -> None:
    """Measure the age of failures when they become dead letters, until the given time."""
    ages: dict[RecordPosition, float] = {}
    first = True
    while context.now() < until:
        for row in await _fetch_with_retries(context, group, _DEAD, until):
            position = (row["topic"], row["partition"], row["offset"])
            if row["cause"].startswith(cause):
                # What was dead before the bug began was measured by another.
                ages.setdefault(position, 0.0 if first else row["age"])
        first = False
        await asyncio.sleep(POLL_INTERVAL_SECONDS)
    if worst := max(ages.values(), default=0.0):
        context.measure(DEAD_LETTERED, group, began=context.now() - worst, ended=context.now())


def measure_rebalances(context: RunContext, service: str, notes: LogCounter) -> None:
    """Count how often partitions were taken away since these notes began."""
    logs = [pod.log for pod in context.platform.pods_of(service)]
    counted = notes.count(logs)
    context.measure(REBALANCES, service, number=counted[REVOKED, service])


async def _fetch_with_retries(
    context: RunContext, group: str, query: str, until: float
) -> Collection[Row]:
    """Ask, again while the server is away; nothing when it stays away."""
    while context.now() < until:
        try:
            return await fetch_as_owner(context.platform.addresses, group, query, group)
        except CONNECTION_ERRORS:
            await asyncio.sleep(POLL_INTERVAL_SECONDS)
    return []
