"""The cursor with which the relay reads the outbox table as a queue.

A deleted row stays in the index until it is vacuumed, and vacuum keeps it while any transaction is
older than its deletion (a backup, a report). Read from the beginning each time, a batch of 500
behind 300,000 of them took 76 ms instead of 1. So a read starts above the rows known to be gone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

# $1 position, $2 shards, $3 rows, $4 bytes. The event that exceeds $4 is the last of its batch.
_WITHIN_BYTES = """
    SELECT position, topic, key, value, traceparent
    FROM (SELECT *, octet_length(value) AS bytes,
                 sum(octet_length(value)) OVER (ORDER BY position) AS until_here
          FROM ({rows}) AS read) AS weighed
    WHERE until_here - bytes < $4::bigint ORDER BY position
"""
READ_ALL_SHARDS = _WITHIN_BYTES.format(
    rows="""
    SELECT * FROM outbox WHERE position > $1::bigint AND shard = ANY($2::smallint[])
    ORDER BY position LIMIT $3::int
"""
)
"""For a relay that owns all shards: it skips hardly any row."""
READ_OWN_SHARDS = _WITHIN_BYTES.format(
    rows="""
    SELECT mine.* FROM unnest($2::smallint[]) AS owned (shard) CROSS JOIN LATERAL (
        SELECT * FROM outbox WHERE outbox.shard = owned.shard AND position > $1::bigint
        ORDER BY position LIMIT $3::int
    ) AS mine ORDER BY position LIMIT $3::int
"""
)
"""For a relay that owns some shards: it reads each shard, and no rows of a stalled relay."""

_SNAPSHOT = """
    SELECT pg_snapshot_xmin(seen)::text::bigint AS oldest,
           pg_snapshot_xmax(seen)::text::bigint AS next
    FROM pg_current_snapshot() AS seen
"""
SNAPSHOT_INTERVAL_READS = 10
"""Reads between two reads of the transaction snapshot."""
RESTART_INTERVAL_READS = 1000
"""Reads until one starts at position 0 again, as a safeguard against a row below the cursor."""


@dataclass
class QueueCursor:
    """The position above which to read: no row up to it is left, and none can appear.

    A transaction takes its id (with the heads, see `outbox.write`) before its positions. So once
    every transaction that had begun when a position was read has ended, no row up to that position
    can appear any more. If the next read finds none either, the cursor moves there.
    """

    position: int = 0
    _candidate: int = 0
    _candidate_safe_at: int | None = None
    """The candidate is safe once every transaction with an id below this one has ended."""
    _safe: int | None = field(default=None, init=False)
    _reads: int = field(default=0, init=False)

    async def advance(self, connection: Any, positions: Sequence[int]) -> None:
        """Advance after a read from `position`; the rows at `positions` are about to be deleted."""
        if self._safe is not None:
            below_first = positions[0] - 1 if positions else self._safe
            self.position = min(self._safe, below_first)
            self._safe = None
        self._reads += 1
        if self._reads % RESTART_INTERVAL_READS == 0:
            self.position, self._candidate_safe_at = 0, None
        elif self._reads % SNAPSHOT_INTERVAL_READS == 0:
            snapshot = await connection.fetchrow(_SNAPSHOT)
            safe_at = self._candidate_safe_at
            if safe_at is not None and snapshot["oldest"] >= safe_at:
                self._safe, self._candidate_safe_at = self._candidate, None
            if self._candidate_safe_at is None and positions:
                self._candidate, self._candidate_safe_at = positions[-1], snapshot["next"]
