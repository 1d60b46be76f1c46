"""What became of everything that was published to a group, and whether the group is stopped."""

from dataclasses import dataclass

import sqlalchemy as sa

from shared.kit.core.bus import Bus
from shared.kit.inbox import circuit_breaker as halts
from shared.kit.inbox.circuit_breaker import CircuitState
from shared.kit.inbox.consumer import BatchConsumer

# One statement, one moment: a batch that commits in between is in all of it or in none.
_LEDGER = sa.text("""
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

    `skipped` is the part of the dead-lettered that was left out for good; `refused` the part that
    the sequence of its key, or its source, shows to be forged, or others of its key to be lost.
    `halt` says whether the group is stopped, since when and why, and what an operator accepted.
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
    halt: CircuitState


async def count_outcomes(consumer: BatchConsumer, bus: Bus) -> GroupCounts:
    """Count what the log holds, as the broker says, and what the group made of it."""
    progress = await bus.get_log_bounds(consumer.topics)
    async with consumer.database.unit_for(()) as unit:
        group = {"consumer_group": consumer.group}
        rows = (await unit.connection.execute(_LEDGER, group)).all()
        halt = await halts.get_state(unit.connection, consumer.group)
    known = {(row.topic, row.partition): row for row in rows}
    published = lag = 0
    for place, end in progress.end.items():
        row = known.get((place.topic, place.number))
        began = row.began if row else progress.begin.get(place, 0)
        read_to = row.next_offset if row else began
        # The broker was asked first: what was read since is published too.
        published += max(end, read_to) - began
        lag += max(end - read_to, 0)
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
        halt=halt,
    )
