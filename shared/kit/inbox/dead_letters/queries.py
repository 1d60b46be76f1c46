"""Queries of a group's dead letters: counts by cause, pages, and the details of one record."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.kit.inbox.parked import LogPosition

MAX_BLOCKED_LISTED = 100
"""Blocked events listed in a `DeadLetterDetail`; `waiting` counts all of them."""

_COLUMNS = """
    topic, partition, "offset", key, event_id, type, state, attempts, next_try, first_failed,
    cause, pattern, traceparent, decision, reason, decided_by, decided_at
"""
GROUP_AND_CAUSE = """
    consumer_group = :consumer_group
    AND (CAST(:cause AS text) IS NULL OR position(CAST(:cause AS text) IN pattern) > 0
         OR position(CAST(:cause AS text) IN cause) > 0)
"""
_PAGE = """
    SELECT {columns} FROM parked WHERE {which} AND {states}
      AND (CAST(:after AS timestamptz) IS NULL OR (first_failed, topic, partition, "offset")
           > (CAST(:after AS timestamptz), :topic, :partition, :offset))
    ORDER BY first_failed, topic, partition, "offset" LIMIT :limit
"""
_LIST_DEAD = sa.text(_PAGE.format(columns=_COLUMNS, which=GROUP_AND_CAUSE, states="state = 'dead'"))
_LIST_ALL = sa.text(_PAGE.format(columns=_COLUMNS, which=GROUP_AND_CAUSE, states="true"))
_SUMMARISE_CAUSES = """
    WITH chosen AS (
        SELECT topic, partition, "offset", key, type, state, first_failed, pattern
        FROM parked WHERE {which}
    ), behind AS (
        SELECT key, count(*) AS events FROM parked
        WHERE consumer_group = :consumer_group AND state = 'parked' AND cause IS NULL
          AND key IN (SELECT key FROM chosen WHERE state <> 'skipped' AND pattern IS NOT NULL)
        GROUP BY key
    )
    SELECT pattern AS cause, type, state, count(*) AS letters, count(behind.key) AS keys,
           COALESCE(sum(behind.events), 0)::bigint AS waiting,
           min(first_failed) AS oldest, max(first_failed) AS newest,
           (array_agg(concat_ws('/', topic, partition, "offset")
                      ORDER BY first_failed, topic, partition, "offset"))[1] AS example
    FROM chosen LEFT JOIN behind ON behind.key = chosen.key AND state <> 'skipped'
    WHERE pattern IS NOT NULL
    GROUP BY pattern, type, state ORDER BY count(*) DESC, pattern, type, state
"""
_GET_ONE = sa.text(f"""
    SELECT {_COLUMNS}, stack, record_value FROM parked
    WHERE consumer_group = :consumer_group AND topic = :topic AND partition = :partition
      AND "offset" = :offset
""")  # noqa: S608  a constant of this file
_LIST_BLOCKED = sa.text("""
    SELECT topic, partition, "offset", type, event_id, count(*) OVER () AS events FROM parked
    WHERE consumer_group = :consumer_group AND key = :key AND state IN ('parked', 'dead')
      AND (topic, "offset") > (:topic, :offset)
    ORDER BY topic, "offset" LIMIT :limit
""")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that was not applied: its position, event, cause, and an operator's decision."""

    topic: str
    partition: int
    offset: int
    key: str | None
    event_id: UUID | None
    type: str | None
    state: str
    attempts: int
    next_try: datetime | None
    first_failed: datetime
    cause: str | None
    pattern: str | None
    traceparent: str | None
    decision: str | None
    reason: str | None
    decided_by: UUID | None
    decided_at: datetime | None

    @property
    def position(self) -> LogPosition:
        """The position in the log."""
        return LogPosition(self.topic, self.partition, self.offset)


@dataclass(frozen=True, slots=True)
class BlockedEvent:
    """An event that is blocked behind another one of its key."""

    place: str
    type: str | None
    event_id: UUID | None


@dataclass(frozen=True, slots=True)
class DeadLetterDetail:
    """A dead-lettered record with its stack trace, and the events blocked behind it."""

    letter: DeadLetter
    stack: str | None
    record: bytes | None
    behind: Sequence[BlockedEvent]
    waiting: int


@dataclass(frozen=True, slots=True)
class CauseSummary:
    """Dead letters with the same cause: their number, and the blocked keys and events."""

    cause: str
    type: str | None
    state: str
    letters: int
    keys: int
    waiting: int
    oldest: datetime
    newest: datetime
    example: str


async def list_dead_letters(
    connection: AsyncConnection,
    group: str,
    *,
    all_states: bool = False,
    cause: str | None = None,
    after: tuple[datetime, LogPosition] | None = None,
    limit: int = 1000,
) -> list[DeadLetter]:
    """List dead letters, oldest first; with `all_states` the parked and skipped records too."""
    after_time, after_position = after or (None, LogPosition("", 0, 0))
    values = {
        "after": after_time,
        "topic": after_position.topic,
        "partition": after_position.partition,
        "offset": after_position.offset,
        "cause": cause,
        "limit": limit,
        "consumer_group": group,
    }
    rows = await connection.execute(_LIST_ALL if all_states else _LIST_DEAD, values)
    return [_to_dead_letter(row) for row in rows]


async def summarise_causes(
    connection: AsyncConnection,
    group: str,
    *,
    all_states: bool = False,
    cause: str | None = None,
    positions: Sequence[LogPosition] | None = None,
) -> list[CauseSummary]:
    """Count dead letters by cause, most frequent first; the database counts, however many."""
    condition = GROUP_AND_CAUSE if all_states else f"{GROUP_AND_CAUSE} AND state = 'dead'"
    values: dict[str, object] = {"consumer_group": group, "cause": cause}
    if positions is not None:
        condition += AT_POSITIONS
        values |= position_columns(positions)
    rows = await connection.execute(sa.text(_SUMMARISE_CAUSES.format(which=condition)), values)
    return [CauseSummary(*row) for row in rows]


async def get_dead_letter(
    connection: AsyncConnection, group: str, position: LogPosition
) -> DeadLetterDetail | None:
    """Return the details of one parked record; None when there is none at this position."""
    values = {
        "consumer_group": group,
        "topic": position.topic,
        "partition": position.partition,
        "offset": position.offset,
    }
    row = (await connection.execute(_GET_ONE, values)).first()
    if row is None:
        return None
    blocks_key = row.key is not None and row.state != "skipped"
    values |= {"key": row.key if blocks_key else None, "limit": MAX_BLOCKED_LISTED}
    blocked = (await connection.execute(_LIST_BLOCKED, values)).all()
    return DeadLetterDetail(
        _to_dead_letter(row),
        row.stack,
        row.record_value,
        [
            BlockedEvent(str(LogPosition(b.topic, b.partition, b.offset)), b.type, b.event_id)
            for b in blocked
        ],
        blocked[0].events if blocked else 0,
    )


AT_POSITIONS = """
    AND (topic, partition, "offset") IN (SELECT * FROM unnest(
        CAST(:topics AS text[]), CAST(:partitions AS int[]), CAST(:offsets AS bigint[])))
"""


def position_columns(positions: Sequence[LogPosition]) -> dict[str, object]:
    """Return the parameters of `AT_POSITIONS`."""
    return {
        "topics": [position.topic for position in positions],
        "partitions": [position.partition for position in positions],
        "offsets": [position.offset for position in positions],
    }


def _to_dead_letter(row: sa.Row[Any]) -> DeadLetter:
    return DeadLetter(**{field.name: getattr(row, field.name) for field in fields(DeadLetter)})
