"""Log index: what reconciliation has read of the log, in a SQLite file.

Each record takes about a hundred bytes on disk (id, place, key, sequence, digest); memory holds
only a cache of `CACHE_KB`. The next offset of a partition is written in the same transaction as
the records before it, so that an interrupted run continues where it stopped.
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
# Copies of the services' tables: created again in every run.
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
    """The file is not a log index of this version."""


@dataclass
class PartitionProgress:
    """A partition's number in the index and the next offset to read."""

    number: int
    partition: Partition
    next: int


class LogIndex:
    """Log index in the file `path`; without a path, a temporary file that is removed on close."""

    def __init__(self, path: Path | None = None) -> None:
        self._temporary_folder = None if path else tempfile.TemporaryDirectory(prefix="preau-book-")
        file = path or Path(self._temporary_folder.name if self._temporary_folder else "") / "book"
        self.db = sqlite3.connect(file, isolation_level=None)
        try:
            self._open(is_persistent=path is not None)
        except BaseException as error:
            self.db.close()
            if isinstance(error, sqlite3.DatabaseError):
                raise InvalidLogIndex(
                    f"{file} is not a log index of `preau reconcile`: {error}"
                ) from error
            raise
        self.types: dict[str, int] = {
            name: no for no, name in self.db.execute("SELECT no, name FROM types")
        }

    def _open(self, *, is_persistent: bool) -> None:
        self.db.execute(
            "PRAGMA journal_mode = WAL" if is_persistent else "PRAGMA journal_mode = MEMORY"
        )
        self.db.execute(
            "PRAGMA synchronous = NORMAL" if is_persistent else "PRAGMA synchronous = OFF"
        )
        self.db.execute(f"PRAGMA cache_size = -{CACHE_KB}")
        self.db.execute(f"PRAGMA temp.cache_size = -{CACHE_KB // 2}")
        (version,) = self.db.execute("PRAGMA user_version").fetchone()
        if not self.query_number("SELECT count(*) FROM sqlite_master"):
            self.db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {INDEX_VERSION}; COMMIT")
        elif version != INDEX_VERSION:
            raise InvalidLogIndex(
                f"This log index has version {version}, not {INDEX_VERSION}: remove the file"
            )
        self.db.executescript(_SNAPSHOT)

    def __enter__(self) -> Self:
        """Return the open index."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Close the file, and remove it if it is temporary."""
        self.db.close()
        if self._temporary_folder is not None:
            self._temporary_folder.cleanup()

    def partition_progress(self, partition: Partition, begin: int) -> PartitionProgress:
        """Return how far a partition was read; a new one starts at `begin`."""
        key = (partition.topic, partition.number)
        self.db.execute(
            "INSERT OR IGNORE INTO places (topic, partition, begin, next) VALUES (?, ?, ?, ?)",
            (*key, begin, begin),
        )
        query = "SELECT no, next FROM places WHERE topic = ? AND partition = ?"
        number, next_offset = self.db.execute(query, key).fetchone()
        return PartitionProgress(number, partition, next_offset)

    def type_number(self, name: str) -> int:
        """Return the number of a wire type, creating it if it is new."""
        if name not in self.types:
            cursor = self.db.execute("INSERT INTO types (name) VALUES (?)", (name,))
            self.types[name] = cursor.lastrowid or 0
        return self.types[name]

    def report_violation(self, invariant: str, key: str, text: str) -> None:
        """Store a violation that was found while reading the log; the same one is stored once."""
        self.db.execute("INSERT OR IGNORE INTO found VALUES (?, ?, ?)", (invariant, key, text))

    def query(self, sql: str, *values: object) -> Iterable[tuple[Any, ...]]:
        """Run a query and return its rows."""
        return self.db.execute(sql, values)

    def query_number(self, sql: str, *values: object) -> int:
        """Run a query for one number; NULL counts as 0."""
        return int(self.db.execute(sql, values).fetchone()[0] or 0)
