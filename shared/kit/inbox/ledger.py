"""The SQL of a consumer group's progress: positions, event ids and their counts.

Positions fence a consumer that lost its partition (a zombie): a batch moves `next_offset` only from
the value that its consumer expects. They also count every record exactly once: published = applied
+ ignored + duplicate + parked + dead-lettered + lag.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.kit.core.bus import Partition
from shared.kit.database.driver_statement import DriverStatement

_GET_POSITIONS = sa.text("""
    SELECT topic, partition, next_offset FROM positions WHERE consumer_group = :consumer_group
""")
_INSERT_POSITIONS = sa.text("""
    INSERT INTO positions (consumer_group, topic, partition, began, next_offset, whole)
    SELECT :consumer_group, topic, partition, began, began, began = 0
    FROM unnest(CAST(:topics AS text[]), CAST(:partitions AS int[]), CAST(:began AS bigint[]))
         AS new (topic, partition, began)
    ON CONFLICT DO NOTHING
""")
_MOVE_POSITIONS = DriverStatement(
    sa.text("""
    UPDATE positions AS p
    SET next_offset = m.next, applied = p.applied + m.applied, ignored = p.ignored + m.ignored,
        duplicate = p.duplicate + m.duplicate, starts = 0
    FROM unnest(CAST(:topics AS text[]), CAST(:partitions AS int[]), CAST(:expected AS bigint[]),
                CAST(:next AS bigint[]), CAST(:applied AS bigint[]), CAST(:ignored AS bigint[]),
                CAST(:duplicate AS bigint[]))
         AS m (topic, partition, expected, next, applied, ignored, duplicate)
    WHERE p.consumer_group = :consumer_group AND p.topic = m.topic
      AND p.partition = m.partition AND p.next_offset = m.expected
    RETURNING 1
""")
)
_COUNT_STARTS = sa.text("""
    UPDATE positions AS p SET starts = p.starts + 1
    FROM unnest(CAST(:topics AS text[]), CAST(:partitions AS int[]), CAST(:ends AS bigint[]))
         AS e (topic, partition, log_end)
    WHERE p.consumer_group = :consumer_group AND p.topic = e.topic
      AND p.partition = e.partition AND p.next_offset < e.log_end
    RETURNING p.topic, p.partition, p.starts,
              COALESCE(p.tried >= p.next_offset, false) AS unfinished
""")
_COUNT_ATTEMPT = sa.text("""
    UPDATE positions
    SET tries = CASE WHEN tried = :offset THEN tries + 1 ELSE 1 END, tried = :offset
    WHERE consumer_group = :consumer_group AND topic = :topic AND partition = :partition
    RETURNING tries
""")
_CLAIM_EVENTS = DriverStatement(
    sa.text("""
    WITH new AS (
        INSERT INTO inbox (consumer_group, event_id)
        SELECT DISTINCT :consumer_group, id
        FROM unnest(CAST(:ids AS uuid[])) AS arrived (id) ORDER BY id
        ON CONFLICT DO NOTHING
        RETURNING event_id
    )
    SELECT CASE WHEN count(*) < cardinality(CAST(:ids AS uuid[])) THEN
               coalesce(array_agg(event_id), '{}') END,
           EXISTS (SELECT FROM parked WHERE consumer_group = :consumer_group
                                        AND state IN ('parked', 'dead'))
           OR EXISTS (SELECT FROM halts WHERE consumer_group = :consumer_group
                                          AND since IS NOT NULL)
    FROM new
""")
)


@dataclass(frozen=True, slots=True)
class StartCount:
    """Starts of a consumer since the group's last progress in a partition, including this one.

    `unfinished`: the group has not moved past the record that it last tried alone.
    """

    number: int
    unfinished: bool


@dataclass
class PositionMove:
    """The move of one partition's position by a batch, and the outcomes of its records."""

    expected: int
    next: int
    counts: Counter[str] = field(default_factory=Counter)


async def get_positions(connection: AsyncConnection, group: str) -> dict[Partition, int]:
    """Return the next offset to read of each partition that the group ever read."""
    rows = await connection.execute(_GET_POSITIONS, {"consumer_group": group})
    return {Partition(row.topic, row.partition): row.next_offset for row in rows}


async def insert_positions(
    connection: AsyncConnection, group: str, began: Mapping[Partition, int]
) -> None:
    """Insert the first offsets of partitions that are new to the group; leave the others."""
    await connection.execute(
        _INSERT_POSITIONS,
        {
            "consumer_group": group,
            "topics": [partition.topic for partition in began],
            "partitions": [partition.number for partition in began],
            "began": list(began.values()),
        },
    )


async def count_starts(
    connection: AsyncConnection, group: str, ends: Mapping[Partition, int]
) -> dict[Partition, StartCount]:
    """Count a start of the consumer in partitions that have unread records."""
    values = {
        "consumer_group": group,
        "topics": [partition.topic for partition in ends],
        "partitions": [partition.number for partition in ends],
        "ends": list(ends.values()),
    }
    rows = await connection.execute(_COUNT_STARTS, values)
    return {
        Partition(row.topic, row.partition): StartCount(row.starts, row.unfinished) for row in rows
    }


async def count_attempt(
    connection: AsyncConnection, group: str, partition: Partition, offset: int
) -> int:
    """Count an attempt at this record alone; return the number of attempts, including this one.

    Commit before the attempt starts, so that an attempt that ends the process counts.
    """
    values = {"consumer_group": group, "topic": partition.topic, "partition": partition.number}
    row = await connection.execute(_COUNT_ATTEMPT, {**values, "offset": offset})
    return int(row.scalar_one())


async def move_positions(
    connection: AsyncConnection, group: str, moves: Mapping[Partition, PositionMove]
) -> bool:
    """Move positions and add counts; False when one was not at the expected offset."""
    partitions = sorted(moves, key=lambda partition: (partition.topic, partition.number))
    ordered = [moves[partition] for partition in partitions]
    moved_rows = await _MOVE_POSITIONS.fetch(
        connection,
        {
            "consumer_group": group,
            "topics": [partition.topic for partition in partitions],
            "partitions": [partition.number for partition in partitions],
            "expected": [move.expected for move in ordered],
            "next": [move.next for move in ordered],
            **{
                name: [move.counts[name] for move in ordered]
                for name in ("applied", "ignored", "duplicate")
            },
        },
    )
    return len(moved_rows) == len(moves)


async def claim_events(
    connection: AsyncConnection, group: str, ids: Sequence[UUID]
) -> tuple[set[UUID] | None, bool]:
    """Insert these event ids into the inbox (deduplication); an id counts once.

    Returns the ids that are new, or None when all are (the common case, which saves sending them
    back), and whether the group has parked events or an open circuit breaker (rare, so that the
    common batch needs no query for blocked keys).
    """
    rows = await _CLAIM_EVENTS.fetch(connection, {"consumer_group": group, "ids": list(ids)})
    new_ids, has_parked_or_open = rows[0]
    return None if new_ids is None else set(new_ids), has_parked_or_open
