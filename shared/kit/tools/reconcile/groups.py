"""I4, I5 and I8: compare each group's counters, inbox and parked events with the log."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from shared.kit.core.bus import Partition
from shared.kit.tools.reconcile.log_index import LogIndex
from shared.kit.tools.reconcile.report import Report
from shared.kit.tools.reconcile.versions import compare_versions, split_wire_type

INBOX_RETENTION = timedelta(days=29)
"""Event ids younger than this must be in the inbox, which keeps them for thirty days."""

# Temporary tables of one group; places and types are numbers of the log index.
_GROUP_TABLES = """
    DROP TABLE IF EXISTS passed;
    DROP TABLE IF EXISTS wants;
    DROP TABLE IF EXISTS apart;
    CREATE TEMP TABLE passed (place INTEGER PRIMARY KEY, began INTEGER, next INTEGER);
    CREATE TEMP TABLE wants (type INTEGER PRIMARY KEY, how TEXT NOT NULL);
    CREATE TEMP TABLE apart (place INTEGER, "offset" INTEGER, id BLOB, key INTEGER, state TEXT,
                             PRIMARY KEY (place, "offset"));
    CREATE INDEX temp.ix_apart ON apart (id);
"""
_FILL_GROUP_TABLES = (
    """
    INSERT INTO passed SELECT p.no, q.began, q.next FROM positions q
    JOIN places p ON p.topic = q.topic AND p.partition = q.partition WHERE q.grp = ?
    """,
    """
    INSERT INTO apart SELECT p.no, a."offset", a.id, k.no, a.state FROM aside a
    JOIN places p ON p.topic = a.topic AND p.partition = a.partition
    LEFT JOIN keys k ON k.topic = a.topic AND k.key = a.key WHERE a.grp = ?
    """,
)
_EVENTS_PASSED = """
    FROM events e
    JOIN passed q ON q.place = e.place AND e."offset" >= q.began AND e."offset" < q.next
    LEFT JOIN wants w ON w.type = e.type
"""
_PASSED_BEYOND_END = """
    SELECT p.topic || '/' || p.partition, q.next, p.next FROM passed q
    JOIN places p ON p.no = q.place WHERE q.next > p.next
"""
_COUNTERS = """
    SELECT q.topic, q.partition, q.began, q.next, q.applied, q.ignored, q.duplicate,
           (SELECT count(*) FROM apart a WHERE a.place = p.no), p.no
    FROM positions q LEFT JOIN places p ON p.topic = q.topic AND p.partition = q.partition
    WHERE q.grp = ?
"""
# Whether the index has another version of the event in this partition, with a condition.
_OTHER_VERSION = """
    EXISTS (SELECT 1 FROM events x JOIN wants v ON v.type = x.type
            WHERE x.id = e.id AND x.place = e.place AND {where})
"""
_OTHER_VERSION_NOT_PASSED = _OTHER_VERSION.format(where='x."offset" >= q.next')
_NOT_APPLIED = f"""
    SELECT (SELECT key FROM keys k WHERE k.no = e.key), e.id,
           (SELECT name FROM types t WHERE t.no = e.type), e.place, e."offset" {_EVENTS_PASSED}
    WHERE w.how IN ('declared', 'older') AND e.id >= ?2
      AND NOT EXISTS (SELECT 1 FROM inbox i WHERE i.grp = ?1 AND i.id = e.id)
      AND NOT EXISTS (SELECT 1 FROM apart a WHERE a.place = e.place AND a."offset" = e."offset")
      AND NOT {_OTHER_VERSION_NOT_PASSED}
"""  # noqa: S608  no user input
_IGNORED_COUNTS = (
    f"SELECT e.place, count(*), 0, 0, 0 {_EVENTS_PASSED} WHERE w.type IS NULL GROUP BY 1"
)
_OTHER_VERSION_BEFORE = _OTHER_VERSION.format(
    where="""v.how <> 'newer' AND x."offset" < e."offset" AND x."offset" >= q.began"""
)
# An event that is published in two versions is applied at its first record that can be applied.
_TWO_VERSION_COUNTS = f"""
    SELECT place, count(*) FILTER (WHERE how IS NULL OR how = 'newer' OR (how = 'older' AND known)),
           count(*) FILTER (WHERE how = 'declared' AND known),
           count(*) FILTER (WHERE how <> 'declared'), count(*) FILTER (WHERE cut)
    FROM (SELECT e.place, w.how, {_OTHER_VERSION_BEFORE} AS known,
                 {_OTHER_VERSION_NOT_PASSED} AS cut {_EVENTS_PASSED}) GROUP BY place
"""  # noqa: S608  no user input
_REPEATED_COUNTS = """
    SELECT r.place, count(*) FILTER (WHERE w.how IS NOT 'declared'),
           count(*) FILTER (WHERE w.how = 'declared' AND NOT EXISTS (
               SELECT 1 FROM apart a WHERE a.place = r.place AND a."offset" = r."offset"))
    FROM repeats r
    JOIN passed q ON q.place = r.place AND r."offset" >= q.began AND r."offset" < q.next
    LEFT JOIN wants w ON w.type = r.type
    GROUP BY r.place
"""
_APPLIED_BUT_NOT_IN_LOG = f"""
    SELECT i.id FROM inbox i WHERE i.grp = ?1
      AND NOT EXISTS (SELECT 1 {_EVENTS_PASSED} WHERE e.id = i.id AND w.type IS NOT NULL)
      AND NOT EXISTS (SELECT 1 FROM repeats r WHERE r.id = i.id)
"""  # noqa: S608  no user input
_UNREADABLE_NOT_DEAD = """
    SELECT c.place, c."offset", c.cause FROM crooked c
    JOIN passed q ON q.place = c.place AND c."offset" >= q.began AND c."offset" < q.next
    WHERE NOT EXISTS (SELECT 1 FROM apart a WHERE a.place = c.place AND a."offset" = c."offset"
                                              AND a.state <> 'parked')
"""
_PARKED_BUT_NOT_PASSED = """
    SELECT a.place, a."offset" FROM apart a
    LEFT JOIN passed q ON q.place = a.place
    WHERE q.place IS NULL OR a."offset" >= q.next
       OR (a.id IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM events e WHERE e.id = a.id AND e.key IS a.key
               AND ((e.place = a.place AND e."offset" = a."offset") OR EXISTS (
                    SELECT 1 FROM repeats r WHERE r.place = a.place AND r."offset" = a."offset"
                                              AND r.id = a.id AND r.type = e.type))))
"""
_DEAD_WITHOUT_DEAD_LETTER = """
    SELECT a.key, a.topic || '/' || a.partition || '/' || a."offset" AS place FROM aside a
    WHERE a.grp = ?1 AND a.state = 'dead' AND NOT EXISTS (
        SELECT 1 FROM heads h WHERE h.topic = 'dead.' || ?1 AND h.key IN (
            a.key, a.topic || '/' || a.partition || '/' || a."offset"))
"""
_READABLE_BUT_DEAD = """
    SELECT (SELECT key FROM keys k WHERE k.no = e.key), e.id, e.place, e."offset"
    FROM events e CROSS JOIN apart a ON a.place = e.place AND a."offset" = e."offset"
    WHERE a.id IS NULL AND e.sequence IS NOT NULL
      -- A record of identity that is out of sequence is refused; I3 reports it already.
      AND NOT EXISTS (SELECT 1 FROM keys k JOIN found f ON f.invariant = 'I3' AND f.key = k.key
                      WHERE k.no = e.key AND k.topic LIKE 'identity.%')
"""
_APPLIED_OUT_OF_ORDER = f"""
    SELECT (SELECT key FROM keys k WHERE k.no = e.key), e.id, e.place, e."offset", b.first
    {_EVENTS_PASSED}
    JOIN (SELECT place, key, min("offset") AS first FROM apart
          WHERE state <> 'skipped' AND id IS NOT NULL GROUP BY place, key) b
      ON b.place = e.place AND b.key = e.key
    WHERE w.how IN ('declared', 'older') AND e."offset" > b.first
      AND EXISTS (SELECT 1 FROM inbox i WHERE i.grp = ?1 AND i.id = e.id)
      AND NOT EXISTS (SELECT 1 FROM apart a WHERE a.id = e.id)
"""  # noqa: S608  no user input


def smallest_uuid7(moment: datetime) -> bytes:
    """Return the smallest UUIDv7 of a time, as bytes."""
    return int(moment.timestamp() * 1000).to_bytes(6, "big") + bytes(10)


@dataclass(frozen=True)
class GroupCheck:
    """Checks of one consumer group against the log index."""

    index: LogIndex
    name: str
    report: Report

    def check(self, now: datetime) -> None:
        """Check that the group handled every event that it has passed exactly once."""
        self.index.db.executescript(_GROUP_TABLES)
        for statement in _FILL_GROUP_TABLES:
            self.index.db.execute(statement, (self.name,))
        has_two_versions = self._fill_wanted_types()
        passed_count = self.index.query_number("SELECT sum(next - began) FROM passed")
        self.report.record_check("I4", f"records that {self.name} has passed", passed_count)
        id_count = self.index.query_number("SELECT count(*) FROM inbox WHERE grp = ?", self.name)
        self.report.record_check("I4", f"event ids in {self.name}'s inbox", id_count)
        for partition, next_offset, end in self.index.query(_PASSED_BEYOND_END):
            self._report_violation(
                "I4", partition, f"passed up to {next_offset}, where the log ends at {end}"
            )
        self._check_counters(_TWO_VERSION_COUNTS if has_two_versions else _IGNORED_COUNTS)
        self._check_ids(now)
        self._check_parked()

    def _check_ids(self, now: datetime) -> None:
        missing = self.index.query(_NOT_APPLIED, self.name, smallest_uuid7(now - INBOX_RETENTION))
        self.report.missing[self.name] = 0
        for key, event_id, wire_type, place_number, offset in missing:
            self.report.missing[self.name] += 1
            location = self._location(place_number, offset)
            text = f"{wire_type} {UUID(bytes=event_id)} at {location} was passed,"
            self._report_violation("I4", key, f"{text} but neither applied nor parked")
        for (event_id,) in self.index.query(_APPLIED_BUT_NOT_IN_LOG, self.name):
            text = "applied, but the log up to the position contains no such event"
            self._report_violation("I4", str(UUID(bytes=event_id)), text)
        for place_number, offset, cause in self.index.query(_UNREADABLE_NOT_DEAD):
            text = f"cannot be read ({cause}), but is no dead letter"
            self._report_violation("I4", self._location(place_number, offset), text)

    def _check_parked(self) -> None:
        number = self.index.query_number("SELECT count(*) FROM apart")
        self.report.record_check("I5", f"events that {self.name} parked", number)
        for place_number, offset in self.index.query(_PARKED_BUT_NOT_PASSED):
            text = "parked here, but no such event was passed"
            self._report_violation("I4", self._location(place_number, offset), text)
        for key, location in self.index.query(_DEAD_WITHOUT_DEAD_LETTER, self.name):
            self._report_violation(
                "I4", key or location, f"{location} is dead, but its dead letter was not published"
            )
        for key, event_id, place_number, offset in self.index.query(_READABLE_BUT_DEAD):
            location = self._location(place_number, offset)
            text = f"{UUID(bytes=event_id)} at {location} is marked as unreadable,"
            self._report_violation("I4", key, f"{text} but it can be read")
        for key, event_id, place_number, offset, first in self.index.query(
            _APPLIED_OUT_OF_ORDER, self.name
        ):
            location = self._location(place_number, offset)
            text = f"{UUID(bytes=event_id)} at {location} was applied before {first},"
            self._report_violation("I5", key, f"{text} which is still parked")

    def _fill_wanted_types(self) -> bool:
        """Fill in the types that the group reacts to; return whether any has another version."""
        query = "SELECT type FROM wanted WHERE grp = ?"
        declared = dict(split_wire_type(name) for (name,) in self.index.query(query, self.name))
        for name, number in self.index.types.items():
            fact, version = split_wire_type(name)
            if fact in declared:
                how = compare_versions(version, declared[fact])
                self.index.db.execute("INSERT INTO wants VALUES (?, ?)", (number, how))
        return self.index.query_number("SELECT count(*) FROM wants WHERE how <> 'declared'") > 0

    def _check_counters(self, recount: str) -> None:
        """Compare the group's counters with each other and with the log."""
        log_counts = {place_number: numbers for place_number, *numbers in self.index.query(recount)}
        repeated_counts = {
            place_number: (ignored_number, duplicate_number)
            for place_number, ignored_number, duplicate_number in self.index.query(_REPEATED_COUNTS)
        }
        for topic, partition, began, next_offset, *counts, place_number in self.index.query(
            _COUNTERS, self.name
        ):
            location = f"{topic}/{partition}"
            applied, skipped, duplicate, parked = counts
            total = applied + skipped + duplicate + parked
            if total != next_offset - began:
                text = f"passed {next_offset - began} records, but applied {applied},"
                text += f" ignored {skipped}, duplicate {duplicate}, parked {parked} make {total}"
                self._report_violation("I4", location, text)
            ignored, known_duplicates, other_versions, unpaired = log_counts.get(
                place_number, (0, 0, 0, 0)
            )
            repeats = repeated_counts.get(place_number, (0, 0))
            expected = (ignored + repeats[0], known_duplicates + repeats[1])
            if other_versions:
                # Which of two versions counts as ignored and which as duplicate depends on the
                # version that the group declared at that time, which may have changed in
                # between. That the event is applied once does not depend on it.
                self._check_sum(location, skipped + duplicate, sum(expected), unpaired)
                continue
            if expected[0] != skipped:
                text = f"{skipped} ignored events counted, {expected[0]} expected from the log"
                self._report_violation("I4", location, text)
            if expected[1] != duplicate:
                text = f"{duplicate} duplicates counted, {expected[1]} expected from the log"
                self._report_violation("I4", location, text)

    def _check_sum(self, location: str, reported: int, expected: int, tolerance: int) -> None:
        if abs(reported - expected) > tolerance:
            text = (
                f"{reported} ignored and duplicate events counted, {expected} expected from the log"
            )
            self._report_violation("I4", location, text)

    def _location(self, place_number: int, offset: int) -> str:
        query = "SELECT topic || '/' || partition FROM places WHERE no = ?"
        ((partition,),) = self.index.query(query, place_number)
        return f"{partition}/{offset}"

    def _report_violation(self, invariant: str, key: str, text: str) -> None:
        self.report.report_violation(invariant, key, f"{self.name}: {text}")


def check_committed_offsets(
    index: LogIndex, group: str, committed: Mapping[Partition, int], report: Report
) -> None:
    """I8: no committed offset is after the position; `committed` was read before the positions."""
    query = "SELECT topic, partition, next FROM positions WHERE grp = ?1"
    positions = {
        (topic, partition): next_offset
        for topic, partition, next_offset in index.query(query, group)
    }
    report.record_check("I8", f"partitions that {group} has committed", len(committed))
    for partition, offset in committed.items():
        next_offset = positions.get((partition.topic, partition.number))
        if next_offset is None or offset > next_offset:
            text = f"{group}: committed {offset}, applied up to {next_offset}:"
            location = f"{partition.topic}/{partition.number}"
            report.report_violation("I8", location, f"{text} a restart skips the rest")
