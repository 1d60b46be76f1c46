"""I4, I5 and I8: what each group made of the log, by its counters and by its event ids."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from shared.kit.core.bus import Partition
from shared.kit.tools.reconcile.log_index import LogIndex
from shared.kit.tools.reconcile.report import Report
from shared.kit.tools.reconcile.versions import compare_versions, split_wire_type

INBOX_RETENTION = timedelta(days=29)
"""Event ids younger than this must stand in the inbox, which keeps thirty days."""

# What concerns one group, with places and types by their numbers in the book.
_MINE = """
    DROP TABLE IF EXISTS passed;
    DROP TABLE IF EXISTS wants;
    DROP TABLE IF EXISTS apart;
    CREATE TEMP TABLE passed (place INTEGER PRIMARY KEY, began INTEGER, next INTEGER);
    CREATE TEMP TABLE wants (type INTEGER PRIMARY KEY, how TEXT NOT NULL);
    CREATE TEMP TABLE apart (place INTEGER, "offset" INTEGER, id BLOB, key INTEGER, state TEXT,
                             PRIMARY KEY (place, "offset"));
    CREATE INDEX temp.ix_apart ON apart (id);
"""
_FILL = (
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
_PASSED = """
    FROM events e
    JOIN passed q ON q.place = e.place AND e."offset" >= q.began AND e."offset" < q.next
    LEFT JOIN wants w ON w.type = e.type
"""
_BEYOND = """
    SELECT p.topic || '/' || p.partition, q.next, p.next FROM passed q
    JOIN places p ON p.no = q.place WHERE q.next > p.next
"""
_COUNTERS = """
    SELECT q.topic, q.partition, q.began, q.next, q.applied, q.ignored, q.duplicate,
           (SELECT count(*) FROM apart a WHERE a.place = p.no), p.no
    FROM positions q LEFT JOIN places p ON p.topic = q.topic AND p.partition = q.partition
    WHERE q.grp = ?
"""
# The other version of an event, before what was passed ends or behind it.
_OTHER = """
    EXISTS (SELECT 1 FROM events x JOIN wants v ON v.type = x.type
            WHERE x.id = e.id AND x.place = e.place AND {where})
"""
_TO_COME = _OTHER.format(where='x."offset" >= q.next')
_MISSING = f"""
    SELECT (SELECT key FROM keys k WHERE k.no = e.key), e.id,
           (SELECT name FROM types t WHERE t.no = e.type), e.place, e."offset" {_PASSED}
    WHERE w.how IN ('declared', 'older') AND e.id >= ?2
      AND NOT EXISTS (SELECT 1 FROM inbox i WHERE i.grp = ?1 AND i.id = e.id)
      AND NOT EXISTS (SELECT 1 FROM apart a WHERE a.place = e.place AND a."offset" = e."offset")
      AND NOT {_TO_COME}
"""  # noqa: S608  no reader's words
_OF_NO_INTEREST = f"SELECT e.place, count(*), 0, 0, 0 {_PASSED} WHERE w.type IS NULL GROUP BY 1"
_BEFORE = _OTHER.format(
    where="""v.how <> 'newer' AND x."offset" < e."offset" AND x."offset" >= q.began"""
)
# Where a fact is told in two versions, an event is applied at its first record that can be.
_TOLD_TWICE = f"""
    SELECT place, count(*) FILTER (WHERE how IS NULL OR how = 'newer' OR (how = 'older' AND known)),
           count(*) FILTER (WHERE how = 'declared' AND known),
           count(*) FILTER (WHERE how <> 'declared'), count(*) FILTER (WHERE cut)
    FROM (SELECT e.place, w.how, {_BEFORE} AS known, {_TO_COME} AS cut {_PASSED}) GROUP BY place
"""  # noqa: S608  no reader's words
_REPEATED = """
    SELECT r.place, count(*) FILTER (WHERE w.how IS NOT 'declared'),
           count(*) FILTER (WHERE w.how = 'declared' AND NOT EXISTS (
               SELECT 1 FROM apart a WHERE a.place = r.place AND a."offset" = r."offset"))
    FROM repeats r
    JOIN passed q ON q.place = r.place AND r."offset" >= q.began AND r."offset" < q.next
    LEFT JOIN wants w ON w.type = r.type
    GROUP BY r.place
"""
_STRANGE = f"""
    SELECT i.id FROM inbox i WHERE i.grp = ?1
      AND NOT EXISTS (SELECT 1 {_PASSED} WHERE e.id = i.id AND w.type IS NOT NULL)
      AND NOT EXISTS (SELECT 1 FROM repeats r WHERE r.id = i.id)
"""  # noqa: S608  no reader's words
_UNREADABLE = """
    SELECT c.place, c."offset", c.cause FROM crooked c
    JOIN passed q ON q.place = c.place AND c."offset" >= q.began AND c."offset" < q.next
    WHERE NOT EXISTS (SELECT 1 FROM apart a WHERE a.place = c.place AND a."offset" = c."offset"
                                              AND a.state <> 'parked')
"""
_INVENTED = """
    SELECT a.place, a."offset" FROM apart a
    LEFT JOIN passed q ON q.place = a.place
    WHERE q.place IS NULL OR a."offset" >= q.next
       OR (a.id IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM events e WHERE e.id = a.id AND e.key IS a.key
               AND ((e.place = a.place AND e."offset" = a."offset") OR EXISTS (
                    SELECT 1 FROM repeats r WHERE r.place = a.place AND r."offset" = a."offset"
                                              AND r.id = a.id AND r.type = e.type))))
"""
_UNTOLD = """
    SELECT a.key, a.topic || '/' || a.partition || '/' || a."offset" AS place FROM aside a
    WHERE a.grp = ?1 AND a.state = 'dead' AND NOT EXISTS (
        SELECT 1 FROM heads h WHERE h.topic = 'dead.' || ?1 AND h.key IN (
            a.key, a.topic || '/' || a.partition || '/' || a."offset"))
"""
_MISREAD = """
    SELECT (SELECT key FROM keys k WHERE k.no = e.key), e.id, e.place, e."offset"
    FROM events e CROSS JOIN apart a ON a.place = e.place AND a."offset" = e."offset"
    WHERE a.id IS NULL AND e.sequence IS NOT NULL
      -- A record of identity that is out of sequence is refused; I3 tells of it already.
      AND NOT EXISTS (SELECT 1 FROM keys k JOIN found f ON f.invariant = 'I3' AND f.key = k.key
                      WHERE k.no = e.key AND k.topic LIKE 'identity.%')
"""
_OVERTAKEN = f"""
    SELECT (SELECT key FROM keys k WHERE k.no = e.key), e.id, e.place, e."offset", b.first {_PASSED}
    JOIN (SELECT place, key, min("offset") AS first FROM apart
          WHERE state <> 'skipped' AND id IS NOT NULL GROUP BY place, key) b
      ON b.place = e.place AND b.key = e.key
    WHERE w.how IN ('declared', 'older') AND e."offset" > b.first
      AND EXISTS (SELECT 1 FROM inbox i WHERE i.grp = ?1 AND i.id = e.id)
      AND NOT EXISTS (SELECT 1 FROM apart a WHERE a.id = e.id)
"""  # noqa: S608  no reader's words


def smallest_uuid7(moment: datetime) -> bytes:
    """Return the smallest UUIDv7 of a moment."""
    return int(moment.timestamp() * 1000).to_bytes(6, "big") + bytes(10)


@dataclass(frozen=True)
class GroupCheck:
    """One group, and what is known of it in the book."""

    index: LogIndex
    name: str
    report: Report

    def check(self, now: datetime) -> None:
        """See that it dealt once with every event that it has passed."""
        self.index.db.executescript(_MINE)
        for statement in _FILL:
            self.index.db.execute(statement, (self.name,))
        told_twice = self._want()
        passed = self.index.query_number("SELECT sum(next - began) FROM passed")
        self.report.record_check("I4", f"records that {self.name} has passed", passed)
        ids = self.index.query_number("SELECT count(*) FROM inbox WHERE grp = ?", self.name)
        self.report.record_check("I4", f"event ids in {self.name}'s inbox", ids)
        for where, after, end in self.index.query(_BEYOND):
            self._blame("I4", where, f"passed up to {after}, where the log ends at {end}")
        self._check_counters(_TOLD_TWICE if told_twice else _OF_NO_INTEREST)
        self._check_ids(now)
        self._check_aside()

    def _check_ids(self, now: datetime) -> None:
        missing = self.index.query(_MISSING, self.name, smallest_uuid7(now - INBOX_RETENTION))
        self.report.missing[self.name] = 0
        for key, event, kind, place, offset in missing:
            self.report.missing[self.name] += 1
            text = f"{kind} {UUID(bytes=event)} at {self._at(place, offset)} was passed,"
            self._blame("I4", key, f"{text} but neither applied nor set aside")
        for (event,) in self.index.query(_STRANGE, self.name):
            text = "applied, though the log that it has passed holds no such event for it"
            self._blame("I4", str(UUID(bytes=event)), text)
        for place, offset, cause in self.index.query(_UNREADABLE):
            text = f"cannot be read ({cause}), and is no dead letter"
            self._blame("I4", self._at(place, offset), text)

    def _check_aside(self) -> None:
        number = self.index.query_number("SELECT count(*) FROM apart")
        self.report.record_check("I5", f"events that {self.name} set aside", number)
        for place, offset in self.index.query(_INVENTED):
            text = "set aside here, where no such event was passed"
            self._blame("I4", self._at(place, offset), text)
        for key, where in self.index.query(_UNTOLD, self.name):
            self._blame("I4", key or where, f"{where} is dead, and no dead letter tells of it")
        for key, event, place, offset in self.index.query(_MISREAD):
            text = f"buried {UUID(bytes=event)} at {self._at(place, offset)} as unreadable,"
            self._blame("I4", key, f"{text} and it can be read")
        for key, event, place, offset, first in self.index.query(_OVERTAKEN, self.name):
            text = f"{UUID(bytes=event)} at {self._at(place, offset)} was applied before {first},"
            self._blame("I5", key, f"{text} which still waits")

    def _want(self) -> bool:
        """Note which types it reacts to; say whether any is told in another version too."""
        query = "SELECT type FROM wanted WHERE grp = ?"
        declared = dict(split_wire_type(name) for (name,) in self.index.query(query, self.name))
        for name, no in self.index.types.items():
            fact, version = split_wire_type(name)
            if fact in declared:
                how = compare_versions(version, declared[fact])
                self.index.db.execute("INSERT INTO wants VALUES (?, ?)", (no, how))
        return self.index.query_number("SELECT count(*) FROM wants WHERE how <> 'declared'") > 0

    def _check_counters(self, recount: str) -> None:
        """Compare the counters with each other, and with the log counted again."""
        counted = {place: numbers for place, *numbers in self.index.query(recount)}
        repeated = {place: (i, d) for place, i, d in self.index.query(_REPEATED)}
        for topic, partition, began, after, *counts, place in self.index.query(
            _COUNTERS, self.name
        ):
            where = f"{topic}/{partition}"
            applied, skipped, twice, aside = counts
            parts = applied + skipped + twice + aside
            if parts != after - began:
                text = f"passed {after - began} records, but applied {applied}, ignored {skipped},"
                text += f" duplicate {twice}, set aside {aside} make {parts}"
                self._blame("I4", where, text)
            ignored, known, others, cut = counted.get(place, (0, 0, 0, 0))
            again = repeated.get(place, (0, 0))
            recounted = (ignored + again[0], known + again[1])
            if others:
                # Which of two versions was ignored, and which a repetition, depends on the one
                # that the group declared then; that the event was applied once does not. It may
                # have declared the other one in between.
                self._check_sum(where, skipped + twice, sum(recounted), cut)
                continue
            if recounted[0] != skipped:
                text = f"says it ignored {skipped}; the log holds {recounted[0]} of no interest"
                self._blame("I4", where, text)
            if recounted[1] != twice:
                text = f"says that {twice} came twice; the log holds {recounted[1]} repetitions"
                self._blame("I4", where, text)

    def _check_sum(self, where: str, said: int, held: int, cut: int) -> None:
        if abs(said - held) > cut:
            text = f"says that {said} were of no interest or came twice; the log holds {held}"
            self._blame("I4", where, text)

    def _at(self, place: int, offset: int) -> str:
        query = "SELECT topic || '/' || partition FROM places WHERE no = ?"
        ((where,),) = self.index.query(query, place)
        return f"{where}/{offset}"

    def _blame(self, invariant: str, key: str, text: str) -> None:
        self.report.report_violation(invariant, key, f"{self.name}: {text}")


def check_committed_offsets(
    book: LogIndex, group: str, committed: Mapping[Partition, int], report: Report
) -> None:
    """I8. `committed` was asked for before the positions were copied."""
    query = "SELECT topic, partition, next FROM positions WHERE grp = ?1"
    positions = {(topic, partition): after for topic, partition, after in book.query(query, group)}
    report.record_check("I8", f"partitions that {group} has committed", len(committed))
    for place, offset in committed.items():
        after = positions.get((place.topic, place.number))
        if after is None or offset > after:
            text = f"{group}: committed {offset}, applied up to {after}: a restart skips the rest"
            report.report_violation("I8", f"{place.topic}/{place.number}", text)
