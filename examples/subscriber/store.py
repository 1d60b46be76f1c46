"""A table of posts in SQLite, and the ids of the events that are already in it."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from shared.contracts.community import PostPublished
from shared.contracts.ids import EventId

SCHEMA = """
CREATE TABLE IF NOT EXISTS applied_events (event_id TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS posts (post_id TEXT PRIMARY KEY, space_id TEXT, published_at TEXT);
"""


@dataclass(frozen=True)
class PostStore:
    """The read model of this application; replace it by your own database."""

    connection: sqlite3.Connection

    @classmethod
    def open(cls, file: Path) -> Self:
        """Open the file, and create its tables if they are missing."""
        connection = sqlite3.connect(file, check_same_thread=False)
        connection.executescript(SCHEMA)
        return cls(connection)

    def add_post(self, event_id: EventId, post: PostPublished, published_at: str) -> bool:
        """Add a post, once per event; False for an event that was applied before.

        Kafka delivers at least once. The event's id and the row are committed in one transaction,
        so a crash between the two cannot lose or repeat the effect.
        """
        with self.connection:
            inserted = self.connection.execute(
                "INSERT INTO applied_events VALUES (?) ON CONFLICT DO NOTHING", [str(event_id)]
            )
            if not inserted.rowcount:
                return False
            row = (str(post.ref.id), str(post.space_id), published_at)
            self.connection.execute("INSERT INTO posts VALUES (?, ?, ?)", row)
        return True
