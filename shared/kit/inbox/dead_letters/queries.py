"""The dead letters of a group: counted by cause, listed page by page, shown whole."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.kit.inbox.parked import LogPosition

MAX_BLOCKED_LISTED = 100
"""Of what waits behind a letter, so many are named; all are counted."""

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
_DEAD = sa.text(_PAGE.format(columns=_COLUMNS, which=GROUP_AND_CAUSE, states="state = 'dead'"))
_ANY = sa.text(_PAGE.format(columns=_COLUMNS, which=GROUP_AND_CAUSE, states="true"))
_CAUSES = """
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
_SHOW = sa.text(f"""
    SELECT {_COLUMNS}, stack, record_value FROM parked
    WHERE consumer_group = :consumer_group AND topic = :topic AND partition = :partition
      AND "offset" = :offset
""")  # noqa: S608  a constant of this file
_BEHIND = sa.text("""
    SELECT topic, partition, "offset", type, event_id, count(*) OVER () AS events FROM parked
    WHERE consumer_group = :consumer_group AND key = :key AND state IN ('parked', 'dead')
      AND (topic, "offset") > (:topic, :offset)
    ORDER BY topic, "offset" LIMIT :limit
""")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that was not applied: where it stands, what it is, why, what was decided of it."""

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
        """Where in the log."""
        return LogPosition(self.topic, self.partition, self.offset)


@dataclass(frozen=True, slots=True)
class BlockedEvent:
    """An event that waits for another of its key."""

    place: str
    type: str | None
    event_id: UUID | None


@dataclass(frozen=True, slots=True)
class DeadLetterDetail:
    """A letter with its stack and record, and what waits behind it on its key."""

    letter: DeadLetter
    stack: str | None
    record: bytes | None
    behind: Sequence[BlockedEvent]
    waiting: int


@dataclass(frozen=True, slots=True)
class CauseSummary:
    """Letters that failed alike: how many, and how many keys and events wait behind them."""

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
    everything: bool = False,
    cause: str | None = None,
    after: tuple[datetime, LogPosition] | None = None,
    limit: int = 1000,
) -> list[DeadLetter]:
    """List dead letters, the oldest first; with `everything` the parked and skipped ones too."""
    begin, place = after or (None, LogPosition("", 0, 0))
    values = {
        "after": begin,
        "topic": place.topic,
        "partition": place.partition,
        "offset": place.offset,
        "cause": cause,
        "limit": limit,
        "consumer_group": group,
    }
    rows = await connection.execute(_ANY if everything else _DEAD, values)
    return [_letter(row) for row in rows]


async def summarise_causes(
    connection: AsyncConnection,
    group: str,
    *,
    everything: bool = False,
    cause: str | None = None,
    places: Sequence[LogPosition] | None = None,
) -> list[CauseSummary]:
    """Count dead letters by cause, the most frequent first; in the database, however many."""
    which = GROUP_AND_CAUSE if everything else f"{GROUP_AND_CAUSE} AND state = 'dead'"
    values: dict[str, object] = {"consumer_group": group, "cause": cause}
    if places is not None:
        which += AT_POSITIONS
        values |= position_columns(places)
    rows = await connection.execute(sa.text(_CAUSES.format(which=which)), values)
    return [CauseSummary(*row) for row in rows]


async def get_dead_letter(
    connection: AsyncConnection, group: str, place: LogPosition
) -> DeadLetterDetail | None:
    """Return everything that is known of one; None when nothing is parked there."""
    at = {"consumer_group": group, "topic": place.topic, "offset": place.offset}
    found = await connection.execute(_SHOW, at | {"partition": place.partition})
    row = found.first()
    if row is None:
        return None
    held = row.key is not None and row.state != "skipped"
    waiting = at | {"key": row.key if held else None, "limit": MAX_BLOCKED_LISTED}
    behind = (await connection.execute(_BEHIND, waiting)).all()
    return DeadLetterDetail(
        _letter(row),
        row.stack,
        row.record_value,
        [
            BlockedEvent(str(LogPosition(b.topic, b.partition, b.offset)), b.type, b.event_id)
            for b in behind
        ],
        behind[0].events if behind else 0,
    )


AT_POSITIONS = """
    AND (topic, partition, "offset") IN (SELECT * FROM unnest(
        CAST(:topics AS text[]), CAST(:partitions AS int[]), CAST(:offsets AS bigint[])))
"""


def position_columns(places: Sequence[LogPosition]) -> dict[str, object]:
    """Fill the parameters of `AT_POSITIONS`."""
    return {
        "topics": [place.topic for place in places],
        "partitions": [place.partition for place in places],
        "offsets": [place.offset for place in places],
    }


def _letter(row: sa.Row[Any]) -> DeadLetter:
    return DeadLetter(**{field.name: getattr(row, field.name) for field in fields(DeadLetter)})
