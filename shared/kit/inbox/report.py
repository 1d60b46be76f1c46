"""Counts of all records published to a group by outcome, and the circuit breaker's state."""

from dataclasses import dataclass

import sqlalchemy as sa

from shared.kit.core.bus import Bus
from shared.kit.inbox import circuit_breaker
from shared.kit.inbox.circuit_breaker import CircuitState
from shared.kit.inbox.consumer import BatchConsumer

# One statement, so one snapshot: a concurrent batch is in all of the counts or in none.
_COUNT_OUTCOMES = sa.text("""
    SELECT topic, partition, began, next_offset, applied, ignored, duplicate, aside.*
    FROM positions, (
        SELECT count(*) FILTER (WHERE state = 'parked') AS parked,
               count(*) FILTER (WHERE state <> 'parked') AS dead_lettered,
               count(*) FILTER (WHERE state = 'skipped') AS skipped,
               count(*) FILTER (WHERE state = 'dead' AND cause LIKE 'refused:%') AS refused
        FROM parked WHERE consumer_group = :consumer_group
    ) AS aside
    WHERE consumer_group = :consumer_group
""")


@dataclass(frozen=True, slots=True)
class GroupCounts:
    """published = applied + ignored + duplicate + parked + dead_lettered + lag.

    `skipped` is the part of `dead_lettered` that an operator skipped. `refused` is the part that is
    forged, or follows lost records, as its source or its key's sequence shows. `circuit` is the
    state of the group's circuit breaker, including the failures that an operator accepted.
    """

    published: int
    applied: int
    ignored: int
    duplicate: int
    parked: int
    dead_lettered: int
    lag: int
    skipped: int
    refused: int
    circuit: CircuitState


async def count_outcomes(consumer: BatchConsumer, bus: Bus) -> GroupCounts:
    """Count the records in the log, as the broker reports it, and the outcomes in the group."""
    bounds = await bus.get_log_bounds(consumer.topics)
    async with consumer.database.unit_for(()) as unit:
        group = {"consumer_group": consumer.group}
        rows = (await unit.connection.execute(_COUNT_OUTCOMES, group)).all()
        circuit_state = await circuit_breaker.get_state(unit.connection, consumer.group)
    rows_by_partition = {(row.topic, row.partition): row for row in rows}
    published = lag = 0
    for partition, end in bounds.end.items():
        row = rows_by_partition.get((partition.topic, partition.number))
        began = row.began if row else bounds.begin.get(partition, 0)
        next_offset = row.next_offset if row else began
        # The bounds are older than the positions: the group may have read beyond `end`.
        published += max(end, next_offset) - began
        lag += max(end - next_offset, 0)
    return GroupCounts(
        published=published,
        applied=sum(row.applied for row in rows),
        ignored=sum(row.ignored for row in rows),
        duplicate=sum(row.duplicate for row in rows),
        parked=rows[0].parked if rows else 0,
        dead_lettered=rows[0].dead_lettered if rows else 0,
        lag=lag,
        skipped=rows[0].skipped if rows else 0,
        refused=rows[0].refused if rows else 0,
        circuit=circuit_state,
    )
