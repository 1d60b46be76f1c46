"""Read the log into the book, and see on the way that each key's facts stand in it as they should.

This is I3: sequences 1, 2, 3 … of every key in that order, in the partition and under the record
key that is theirs, each event id with one sequence and one content (`versions`: for each version
that it is told in). What the relay sent again is allowed and counted. What others put on our topics
(`source` is not the owner's) has no order.
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
"""Is handed every event that is new to the book, in log order within a partition."""
EventRow = tuple[bytes, int, int, int, int | None, int, int]
_INSERT = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)"


def owner_of_topic(topic: str) -> str:
    """Name the service that writes to a topic: `community.post`, `dead.metrics`."""
    first, _, rest = topic.partition(".")
    return rest if first == "dead" else first


async def index_log(
    log: Log, index: LogIndex, topics: Sequence[str], on_new_event: EventObserver | None = None
) -> None:
    """Read what is new in these topics, up to where they end now."""
    progress = await log.get_log_bounds(topics)
    counts: dict[str, int] = {}
    for partition in progress.end:
        counts[partition.topic] = counts.get(partition.topic, 0) + 1
    for partition, end in progress.end.items():
        place = index.partition_progress(partition, progress.begin[partition])
        if place.next > end:
            text = f"the log ends at {end} and was read up to {place.next}: records are gone"
            index.report_violation("I3", f"{partition.topic}/{partition.number}", text)
        while place.next < end:
            records = await log.fetch(partition, place.next, min(CHUNK_RECORDS, end - place.next))
            taking = ChunkIndexer(index, place, counts[partition.topic], on_new_event)
            taking.index_records([each for each in records if each.offset < end], end)


@dataclass
class ChunkIndexer:
    """One slice of one partition on its way into the book."""

    index: LogIndex
    progress: PartitionProgress
    partitions: int
    on_new_event: EventObserver | None = None

    def index_records(self, records: Sequence[IncomingRecord], end: int) -> None:
        """Write the slice down, all of it or nothing."""
        self.index.db.execute("BEGIN")
        try:
            self._take(records)
            last = records[-1].offset + 1 if records else end
            self.index.db.execute(
                "UPDATE places SET next = ? WHERE no = ?", (last, self.progress.number)
            )
        except BaseException:
            self.index.db.execute("ROLLBACK")
            raise
        self.index.db.execute("COMMIT")
        self.progress.next = last

    def _take(self, records: Sequence[IncomingRecord]) -> None:
        events: list[tuple[IncomingRecord, Event]] = []
        crooked: list[tuple[int, int, str]] = []
        for record in records:
            try:
                events.append((record, read_event(record)))
            except MalformedRecord as why:
                crooked.append((self.progress.number, record.offset, str(why)[:200]))
        if crooked:
            self.index.db.executemany("INSERT INTO crooked VALUES (?, ?, ?)", crooked)
        keys = self._keys({event.partitionkey for _, event in events})
        rows = [self._row(record, event, keys) for record, event in events]
        fresh = self._insert(rows)
        last = dict(keys.values())
        for (_, event), row, new in zip(events, rows, fresh, strict=True):
            if not new:
                continue
            if row[4] is not None:
                last[row[3]] = self._follow(event, row, last[row[3]])
            if self.on_new_event is not None:
                self.on_new_event(event)
        moved = [(last[no], no) for no, value in keys.values() if last[no] != value]
        self.index.db.executemany("UPDATE keys SET last = ? WHERE no = ?", moved)

    def _keys(self, names: set[str]) -> dict[str, tuple[int, int]]:
        """Return each key its number and the last sequence that was read of it."""
        topic, db = self.progress.partition.topic, self.index.db
        found: dict[str, tuple[int, int]] = {}
        for name in names:
            query = "SELECT no, last, place FROM keys WHERE topic = ? AND key = ?"
            row = db.execute(query, (topic, name)).fetchone()
            if row is None:
                new = "INSERT INTO keys (topic, key, place, last) VALUES (?, ?, ?, 0)"
                done = db.execute(new, (topic, name, self.progress.number))
                row = (int(done.lastrowid or 0), 0, self.progress.number)
            found[name] = row[:2]
        return found

    def _row(
        self, record: IncomingRecord, event: Event, keys: Mapping[str, tuple[int, int]]
    ) -> EventRow:
        number, _ = keys[event.partitionkey]
        sequence = None
        if event.source == f"/preau/{owner_of_topic(record.partition.topic)}":
            sequence = int(event.sequence) if event.sequence.isdecimal() else 0
            self._address(record, event)
        kind = self.index.type_number(event.type)
        return (
            event.id.bytes,
            self.progress.number,
            record.offset,
            number,
            sequence,
            kind,
            digest(record.value),
        )

    def _address(self, record: IncomingRecord, event: Event) -> None:
        """See that a fact of ours has its key's partition, and its key."""
        key = event.partitionkey.encode()
        if record.key != key:
            self._blame(event.partitionkey, record.offset, f"its record key is {record.key!r}")
        right = partition_of(key, self.partitions)
        if right != self.progress.partition.number:
            self._blame(event.partitionkey, record.offset, f"its key belongs to partition {right}")

    def _insert(self, rows: Sequence[EventRow]) -> list[bool]:
        """Write the events; say of each whether it is new."""
        db = self.index.db
        db.execute("SAVEPOINT slice")
        try:
            db.executemany(_INSERT, rows)
            fresh = [True] * len(rows)
        except sqlite3.IntegrityError:  # one of them was here before
            db.execute("ROLLBACK TO slice")
            fresh = [self._insert_one(row) for row in rows]
        db.execute("RELEASE slice")
        return fresh

    def _insert_one(self, row: EventRow) -> bool:
        db = self.index.db
        query = (
            'SELECT key, sequence, digest, place, "offset" FROM events WHERE id = ? AND type = ?'
        )
        known: tuple[Any, ...] | None = db.execute(query, (row[0], row[5])).fetchone()
        if known is None:
            db.execute(_INSERT, row)
            return True
        db.execute("INSERT INTO repeats VALUES (?, ?, ?, ?)", (row[1], row[2], row[0], row[5]))
        same = known[:3] == (row[3], row[4], row[6])
        if not same and row[4] is not None:
            key = db.execute("SELECT key FROM keys WHERE no = ?", (row[3],)).fetchone()[0]
            text = f"event {UUID(bytes=row[0])} stands here again with another content"
            self._blame(key, row[2], f"{text} or sequence; first at offset {known[4]}")
        return False

    def _follow(self, event: Event, row: EventRow, last: int) -> int:
        """See that a new fact is the next one of its key; give the last sequence now."""
        sequence = row[4] or 0
        if sequence == last + 1:
            return sequence
        if sequence > last:
            gap = f"{last + 1}" if sequence == last + 2 else f"{last + 1}…{sequence - 1}"
            self._blame(event.partitionkey, row[2], f"{sequence} follows {last}: {gap} missing")
            return sequence
        text = f"sequence {sequence} after {last}, as event {event.id}: late, or twice taken"
        self._blame(event.partitionkey, row[2], text)
        return last

    def _blame(self, key: str, offset: int, text: str) -> None:
        where = f"{self.progress.partition.topic}/{self.progress.partition.number}/{offset}"
        self.index.report_violation("I3", key, f"{where}: {text}")
