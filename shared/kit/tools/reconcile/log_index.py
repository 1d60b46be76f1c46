"""The book: what the checker knows of the log, in a SQLite file.

About a hundred bytes for each record stay on disk (id, place, key, sequence, digest) and none in
memory but a cache of `CACHE_KB`. How far each partition was read stands in the same transaction as
what was read there, so that a run that was ended goes on where it stood.
"""

import sqlite3
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from shared.kit.core.bus import Partition

CACHE_KB = 65_536
INDEX_VERSION = 2
_SCHEMA = """
    CREATE TABLE places (no INTEGER PRIMARY KEY, topic TEXT NOT NULL, partition INTEGER NOT NULL,
                         begin INTEGER NOT NULL, next INTEGER NOT NULL, UNIQUE (topic, partition));
    CREATE TABLE types (no INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
    CREATE TABLE keys (no INTEGER PRIMARY KEY, topic TEXT NOT NULL, key TEXT NOT NULL,
                       place INTEGER NOT NULL, last INTEGER NOT NULL, UNIQUE (topic, key));
    CREATE TABLE events (id BLOB NOT NULL, place INTEGER NOT NULL, "offset" INTEGER NOT NULL,
                         key INTEGER NOT NULL, sequence INTEGER, type INTEGER NOT NULL,
                         digest INTEGER NOT NULL, PRIMARY KEY (id, type)) WITHOUT ROWID;
    CREATE TABLE repeats (place INTEGER, "offset" INTEGER, id BLOB NOT NULL, type INTEGER NOT NULL,
                          PRIMARY KEY (place, "offset")) WITHOUT ROWID;
    CREATE TABLE crooked (place INTEGER, "offset" INTEGER, cause TEXT NOT NULL,
                          PRIMARY KEY (place, "offset")) WITHOUT ROWID;
    CREATE TABLE found (invariant TEXT, key TEXT, text TEXT, PRIMARY KEY (invariant, key, text));
"""
# What the databases say: made anew each time.
_SNAPSHOT = """
    CREATE TEMP TABLE heads (topic TEXT, key TEXT, sequence INTEGER, PRIMARY KEY (topic, key))
        WITHOUT ROWID;
    CREATE TEMP TABLE waiting (topic TEXT, key TEXT, sequence INTEGER, id BLOB, digest INTEGER);
    CREATE INDEX temp.ix_waiting ON waiting (topic, key, sequence);
    CREATE TEMP TABLE positions (grp TEXT, topic TEXT, partition INTEGER, began INTEGER,
                                 next INTEGER, applied INTEGER, ignored INTEGER, duplicate INTEGER,
                                 PRIMARY KEY (grp, topic, partition)) WITHOUT ROWID;
    CREATE TEMP TABLE aside (grp TEXT, topic TEXT, partition INTEGER, "offset" INTEGER, key TEXT,
                             id BLOB, tenant TEXT, state TEXT,
                             PRIMARY KEY (grp, topic, partition, "offset")) WITHOUT ROWID;
    CREATE TEMP TABLE inbox (grp TEXT, id BLOB, PRIMARY KEY (grp, id)) WITHOUT ROWID;
    CREATE TEMP TABLE wanted (grp TEXT, type TEXT, PRIMARY KEY (grp, type)) WITHOUT ROWID;
"""


class InvalidLogIndex(Exception):
    """The file is no book of this version."""


@dataclass
class PartitionProgress:
    """A partition, and how far it was read."""

    number: int
    partition: Partition
    next: int


class LogIndex:
    """A book at `path`, or one that is forgotten when it is closed."""

    def __init__(self, path: Path | None = None) -> None:
        self._scratch = None if path else tempfile.TemporaryDirectory(prefix="preau-book-")
        where = path or Path(self._scratch.name if self._scratch else "") / "book"
        self.db = sqlite3.connect(where, isolation_level=None)
        try:
            self._open(kept=path is not None)
        except BaseException as error:
            self.db.close()
            if isinstance(error, sqlite3.DatabaseError):
                raise InvalidLogIndex(f"{where} is no book of the checker's: {error}") from error
            raise
        self.types: dict[str, int] = {
            name: no for no, name in self.db.execute("SELECT no, name FROM types")
        }

    def _open(self, *, kept: bool) -> None:
        self.db.execute("PRAGMA journal_mode = WAL" if kept else "PRAGMA journal_mode = MEMORY")
        self.db.execute("PRAGMA synchronous = NORMAL" if kept else "PRAGMA synchronous = OFF")
        self.db.execute(f"PRAGMA cache_size = -{CACHE_KB}")
        self.db.execute(f"PRAGMA temp.cache_size = -{CACHE_KB // 2}")
        (version,) = self.db.execute("PRAGMA user_version").fetchone()
        if not self.query_number("SELECT count(*) FROM sqlite_master"):
            self.db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {INDEX_VERSION}; COMMIT")
        elif version != INDEX_VERSION:
            raise InvalidLogIndex(
                f"This book is of version {version}, not {INDEX_VERSION}: remove it"
            )
        self.db.executescript(_SNAPSHOT)

    def __enter__(self) -> Self:
        """Open."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Close; a book without a path is gone."""
        self.db.close()
        if self._scratch is not None:
            self._scratch.cleanup()

    def partition_progress(self, partition: Partition, begin: int) -> PartitionProgress:
        """Find where a partition was read to."""
        key = (partition.topic, partition.number)
        self.db.execute(
            "INSERT OR IGNORE INTO places (topic, partition, begin, next) VALUES (?, ?, ?, ?)",
            (*key, begin, begin),
        )
        query = "SELECT no, next FROM places WHERE topic = ? AND partition = ?"
        no, after = self.db.execute(query, key).fetchone()
        return PartitionProgress(no, partition, after)

    def type_number(self, name: str) -> int:
        """Return a type its number."""
        if name not in self.types:
            done = self.db.execute("INSERT INTO types (name) VALUES (?)", (name,))
            self.types[name] = done.lastrowid or 0
        return self.types[name]

    def report_violation(self, invariant: str, key: str, text: str) -> None:
        """Keep a violation with what was read."""
        self.db.execute("INSERT OR IGNORE INTO found VALUES (?, ?, ?)", (invariant, key, text))

    def query(self, query: str, *values: object) -> Iterable[tuple[Any, ...]]:
        """Ask."""
        return self.db.execute(query, values)

    def query_number(self, query: str, *values: object) -> int:
        """Ask for one number."""
        return int(self.db.execute(query, values).fetchone()[0] or 0)
