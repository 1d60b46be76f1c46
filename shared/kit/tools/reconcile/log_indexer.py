"""I3: read the log into the index and check the order of each key's events.

Every key's sequences are 1, 2, 3 … in this order, in the key's partition and under its record key;
each event id has one sequence and one content (see `versions`: one for each published version).
Records that the relay sent again are allowed and counted. Events of other systems on our topics
(`source` is not the owner's) have no order.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.kit.core.bus import IncomingRecord
from shared.kit.tools.reconcile.event import Event, MalformedRecord, digest, read_event
from shared.kit.tools.reconcile.log import Log
from shared.kit.tools.reconcile.log_index import LogIndex, PartitionProgress
from shared.kit.tools.reconcile.partitioner import partition_of

CHUNK_RECORDS = 5_000
EventObserver = Callable[[Event], None]
"""Called with every event that is new to the index, in log order within a partition."""
EventRow = tuple[bytes, int, int, int, int | None, int, int]
_INSERT = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)"


def owner_of_topic(topic: str) -> str:
    """Return the service that writes to a topic, such as `community.post` or `dead.metrics`."""
    first, _, rest = topic.partition(".")
    return rest if first == "dead" else first


async def index_log(
    log: Log, index: LogIndex, topics: Sequence[str], on_new_event: EventObserver | None = None
) -> None:
    """Read new records of these topics, up to the current end of each."""
    progress = await log.get_log_bounds(topics)
    partition_counts: dict[str, int] = {}
    for partition in progress.end:
        partition_counts[partition.topic] = partition_counts.get(partition.topic, 0) + 1
    for partition, end in progress.end.items():
        partition_progress = index.partition_progress(partition, progress.begin[partition])
        if partition_progress.next > end:
            text = f"the log ends at {end} and was read up to {partition_progress.next}"
            index.report_violation(
                "I3", f"{partition.topic}/{partition.number}", f"{text}: records are gone"
            )
        while partition_progress.next < end:
            records = await log.fetch(
                partition,
                partition_progress.next,
                min(CHUNK_RECORDS, end - partition_progress.next),
            )
            indexer = ChunkIndexer(
                index, partition_progress, partition_counts[partition.topic], on_new_event
            )
            indexer.index_records([record for record in records if record.offset < end], end)


@dataclass
class ChunkIndexer:
    """Writes one chunk of one partition into the index."""

    index: LogIndex
    progress: PartitionProgress
    partitions: int
    on_new_event: EventObserver | None = None

    def index_records(self, records: Sequence[IncomingRecord], end: int) -> None:
        """Write the records and the next offset in one transaction."""
        self.index.db.execute("BEGIN")
        try:
            self._insert_records(records)
            next_offset = records[-1].offset + 1 if records else end
            self.index.db.execute(
                "UPDATE places SET next = ? WHERE no = ?", (next_offset, self.progress.number)
            )
        except BaseException:
            self.index.db.execute("ROLLBACK")
            raise
        self.index.db.execute("COMMIT")
        self.progress.next = next_offset

    def _insert_records(self, records: Sequence[IncomingRecord]) -> None:
        events: list[tuple[IncomingRecord, Event]] = []
        malformed: list[tuple[int, int, str]] = []
        for record in records:
            try:
                events.append((record, read_event(record)))
            except MalformedRecord as error:
                malformed.append((self.progress.number, record.offset, str(error)[:200]))
        if malformed:
            self.index.db.executemany("INSERT INTO crooked VALUES (?, ?, ?)", malformed)
        keys = self._load_keys({event.partitionkey for _, event in events})
        rows = [self._make_row(record, event, keys) for record, event in events]
        is_new_flags = self._insert_rows(rows)
        last = dict(keys.values())
        for (_, event), row, is_new in zip(events, rows, is_new_flags, strict=True):
            if not is_new:
                continue
            if row[4] is not None:
                last[row[3]] = self._check_sequence(event, row, last[row[3]])
            if self.on_new_event is not None:
                self.on_new_event(event)
        changed = [
            (last[number], number) for number, value in keys.values() if last[number] != value
        ]
        self.index.db.executemany("UPDATE keys SET last = ? WHERE no = ?", changed)

    def _load_keys(self, names: set[str]) -> dict[str, tuple[int, int]]:
        """Return each key's number and last sequence; new keys are inserted."""
        topic, db = self.progress.partition.topic, self.index.db
        keys: dict[str, tuple[int, int]] = {}
        for name in names:
            query = "SELECT no, last, place FROM keys WHERE topic = ? AND key = ?"
            row = db.execute(query, (topic, name)).fetchone()
            if row is None:
                insert = "INSERT INTO keys (topic, key, place, last) VALUES (?, ?, ?, 0)"
                cursor = db.execute(insert, (topic, name, self.progress.number))
                row = (int(cursor.lastrowid or 0), 0, self.progress.number)
            keys[name] = row[:2]
        return keys

    def _make_row(
        self, record: IncomingRecord, event: Event, keys: Mapping[str, tuple[int, int]]
    ) -> EventRow:
        number, _ = keys[event.partitionkey]
        sequence = None
        if event.source == f"/preau/{owner_of_topic(record.partition.topic)}":
            sequence = int(event.sequence) if event.sequence.isdecimal() else 0
            self._check_key(record, event)
        type_number = self.index.type_number(event.type)
        return (
            event.id.bytes,
            self.progress.number,
            record.offset,
            number,
            sequence,
            type_number,
            digest(record.value),
        )

    def _check_key(self, record: IncomingRecord, event: Event) -> None:
        """Check that an event of this platform has its key as record key, in its partition."""
        key = event.partitionkey.encode()
        if record.key != key:
            self._report_violation(
                event.partitionkey, record.offset, f"its record key is {record.key!r}"
            )
        expected = partition_of(key, self.partitions)
        if expected != self.progress.partition.number:
            self._report_violation(
                event.partitionkey, record.offset, f"its key belongs to partition {expected}"
            )

    def _insert_rows(self, rows: Sequence[EventRow]) -> list[bool]:
        """Insert the events and return whether each is new."""
        db = self.index.db
        db.execute("SAVEPOINT slice")
        try:
            db.executemany(_INSERT, rows)
            is_new_flags = [True] * len(rows)
        except sqlite3.IntegrityError:  # at least one row exists: insert one by one
            db.execute("ROLLBACK TO slice")
            is_new_flags = [self._insert_row(row) for row in rows]
        db.execute("RELEASE slice")
        return is_new_flags

    def _insert_row(self, row: EventRow) -> bool:
        db = self.index.db
        query = (
            'SELECT key, sequence, digest, place, "offset" FROM events WHERE id = ? AND type = ?'
        )
        existing: tuple[Any, ...] | None = db.execute(query, (row[0], row[5])).fetchone()
        if existing is None:
            db.execute(_INSERT, row)
            return True
        db.execute("INSERT INTO repeats VALUES (?, ?, ?, ?)", (row[1], row[2], row[0], row[5]))
        is_same = existing[:3] == (row[3], row[4], row[6])
        if not is_same and row[4] is not None:
            key = db.execute("SELECT key FROM keys WHERE no = ?", (row[3],)).fetchone()[0]
            text = f"event {UUID(bytes=row[0])} is here again with another content"
            self._report_violation(
                key, row[2], f"{text} or sequence; first at offset {existing[4]}"
            )
        return False

    def _check_sequence(self, event: Event, row: EventRow, last: int) -> int:
        """Check that a new event has its key's next sequence; return the key's last sequence."""
        sequence = row[4] or 0
        if sequence == last + 1:
            return sequence
        if sequence > last:
            gap = f"{last + 1}" if sequence == last + 2 else f"{last + 1}…{sequence - 1}"
            self._report_violation(
                event.partitionkey, row[2], f"{sequence} follows {last}: {gap} missing"
            )
            return sequence
        text = f"sequence {sequence} after {last}, as event {event.id}: late, or used twice"
        self._report_violation(event.partitionkey, row[2], text)
        return last

    def _report_violation(self, key: str, offset: int, text: str) -> None:
        location = f"{self.progress.partition.topic}/{self.progress.partition.number}/{offset}"
        self.index.report_violation("I3", key, f"{location}: {text}")
