"""The SQL of what a consumer group has read: positions, event ids and their counts.

Positions fence a zombie: a batch moves `next_offset` only from where its reader believes it to be.
They also count every record exactly once: published = applied + ignored + duplicate + parked +
dead-lettered + lag.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.kit.core.bus import Partition
from shared.kit.database.driver_statement import DriverStatement

_POSITIONS = sa.text("""
    SELECT topic, partition, next_offset FROM positions WHERE consumer_group = :consumer_group
""")
_BEGIN = sa.text("""
    INSERT INTO positions (consumer_group, topic, partition, began, next_offset, whole)
    SELECT :consumer_group, topic, partition, began, began, began = 0
    FROM unnest(CAST(:topics AS text[]), CAST(:partitions AS int[]), CAST(:began AS bigint[]))
         AS new (topic, partition, began)
    ON CONFLICT DO NOTHING
""")
_MOVE = DriverStatement(
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
_STARTED = sa.text("""
    UPDATE positions AS p SET starts = p.starts + 1
    FROM unnest(CAST(:topics AS text[]), CAST(:partitions AS int[]), CAST(:ends AS bigint[]))
         AS e (topic, partition, log_end)
    WHERE p.consumer_group = :consumer_group AND p.topic = e.topic
      AND p.partition = e.partition AND p.next_offset < e.log_end
    RETURNING p.topic, p.partition, p.starts,
              COALESCE(p.tried >= p.next_offset, false) AS unfinished
""")
_TRY = sa.text("""
    UPDATE positions
    SET tries = CASE WHEN tried = :offset THEN tries + 1 ELSE 1 END, tried = :offset
    WHERE consumer_group = :consumer_group AND topic = :topic AND partition = :partition
    RETURNING tries
""")
_NEW_IDS = DriverStatement(
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
    """Starts of a reader since the group last moved in a partition, the present one included.

    `unfinished` says that the group has not passed the record that it last tried alone.
    """

    number: int
    unfinished: bool


@dataclass
class PositionMove:
    """How far a batch goes in one partition, and what became of its records."""

    expected: int
    next: int
    counts: Counter[str] = field(default_factory=Counter)


async def get_positions(connection: AsyncConnection, group: str) -> dict[Partition, int]:
    """Say the next offset to read of each partition that the group ever read."""
    rows = await connection.execute(_POSITIONS, {"consumer_group": group})
    return {Partition(row.topic, row.partition): row.next_offset for row in rows}


async def insert_positions(
    connection: AsyncConnection, group: str, began: Mapping[Partition, int]
) -> None:
    """Note where the group begins in partitions that are new to it."""
    await connection.execute(
        _BEGIN,
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
    """Count a start of the reader in partitions that hold something for it."""
    values = {
        "consumer_group": group,
        "topics": [place.topic for place in ends],
        "partitions": [place.number for place in ends],
        "ends": list(ends.values()),
    }
    rows = await connection.execute(_STARTED, values)
    return {
        Partition(row.topic, row.partition): StartCount(row.starts, row.unfinished) for row in rows
    }


async def count_attempt(
    connection: AsyncConnection, group: str, place: Partition, offset: int
) -> int:
    """Note that this record is tried alone now; say how often it was, this time included.

    To be committed before the attempt, so that one that ends the process counts.
    """
    values = {"consumer_group": group, "topic": place.topic, "partition": place.number}
    found = await connection.execute(_TRY, {**values, "offset": offset})
    return int(found.scalar_one())


async def move_positions(
    connection: AsyncConnection, group: str, moves: Mapping[Partition, PositionMove]
) -> bool:
    """Move the positions; False when one of them was not where the reader believed it to be."""
    places = sorted(moves, key=lambda partition: (partition.topic, partition.number))
    rows = [moves[place] for place in places]
    moved = await _MOVE.fetch(
        connection,
        {
            "consumer_group": group,
            "topics": [place.topic for place in places],
            "partitions": [place.number for place in places],
            "expected": [row.expected for row in rows],
            "next": [row.next for row in rows],
            **{
                name: [row.counts[name] for row in rows]
                for name in ("applied", "ignored", "duplicate")
            },
        },
    )
    return len(moved) == len(moves)


async def claim_events(
    connection: AsyncConnection, group: str, ids: Sequence[UUID]
) -> tuple[set[UUID] | None, bool]:
    """Claim these events for the group; give those that it had not yet seen, None for all of them.

    None, because that is the ordinary batch: no id need travel back. Each counts once.
    Tell too whether anything of the group is parked or it is stopped: seldom, so that the ordinary
    batch need not ask for the keys.
    """
    found = await _NEW_IDS.fetch(connection, {"consumer_group": group, "ids": list(ids)})
    new, troubled = found[0]
    return None if new is None else set(new), troubled
