"""What became of everything that was published: the counts of a group, and its dead letters."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from shared.kit.bus.port import Bus
from shared.kit.inbox.consume import BatchConsumer

_POSITIONS = sa.text("""
    SELECT topic, partition, began, next_offset, applied, ignored, duplicate FROM positions
    WHERE consumer_group = :consumer_group
""")
_PARKED = sa.text("""
    SELECT count(*) FILTER (WHERE state = 'parked') AS parked,
           count(*) FILTER (WHERE state <> 'parked') AS dead_lettered
    FROM parked WHERE consumer_group = :consumer_group
""")
_LETTERS = sa.text("""
    SELECT topic, partition, "offset", key, event_id, type, tenant_id, state, attempts, next_try,
           first_failed, cause, stack, traceparent, record_value
    FROM parked WHERE consumer_group = :consumer_group AND (:all OR state = 'dead')
    ORDER BY first_failed, topic, "offset" LIMIT 1000
""")


@dataclass(frozen=True, slots=True)
class Counts:
    """published = applied + ignored + duplicate + parked + dead_lettered + lag."""

    published: int
    applied: int
    ignored: int
    duplicate: int
    parked: int
    dead_lettered: int
    lag: int
    halted: str | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """An event that was not applied, and why."""

    topic: str
    partition: int
    offset: int
    key: str | None
    event_id: str | None
    type: str | None
    state: str
    attempts: int
    next_try: datetime | None
    first_failed: datetime
    cause: str | None
    stack: str | None
    traceparent: str | None
    record: str | None


async def counts(consumer: BatchConsumer, bus: Bus) -> Counts:
    """Count what the log holds, as the broker says, and what the group made of it."""
    progress = await bus.progress(consumer.topics)
    rows = await consumer.database.rows(_POSITIONS, consumer_group=consumer.group)
    (aside,) = await consumer.database.rows(_PARKED, consumer_group=consumer.group)
    known = {(row.topic, row.partition): row for row in rows}
    published = lag = 0
    for place, end in progress.end.items():
        row = known.get((place.topic, place.number))
        began = row.began if row else progress.begin.get(place, 0)
        read_to = row.next_offset if row else began
        published += end - began
        lag += max(end - read_to, 0)
    return Counts(
        published=published,
        applied=sum(row.applied for row in rows),
        ignored=sum(row.ignored for row in rows),
        duplicate=sum(row.duplicate for row in rows),
        parked=aside.parked,
        dead_lettered=aside.dead_lettered,
        lag=lag,
        halted=consumer.halted,
    )


async def letters(consumer: BatchConsumer, *, everything: bool) -> list[Letter]:
    """List the dead letters of a group, oldest first; with `everything` the parked ones too."""
    rows = await consumer.database.rows(_LETTERS, consumer_group=consumer.group, all=everything)
    return [
        Letter(
            topic=row.topic,
            partition=row.partition,
            offset=row.offset,
            key=row.key,
            event_id=str(row.event_id) if row.event_id else None,
            type=row.type,
            state=row.state,
            attempts=row.attempts,
            next_try=row.next_try,
            first_failed=row.first_failed,
            cause=row.cause,
            stack=row.stack,
            traceparent=row.traceparent,
            record=row.record_value.decode("utf-8", "replace") if row.record_value else None,
        )
        for row in rows
    ]
