"""A service as the checker sees it: a database, what it declares, and what its tables say now."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import asyncpg
import msgspec

from shared.contracts.catalogue import PUBLISHERS
from shared.kit.tools.reconcile.agreement import ConsistencyCheck, EventReference
from shared.kit.tools.reconcile.event import Event, digest
from shared.kit.tools.reconcile.log_index import LogIndex

MAX_SLICE_ROWS = 10_000
_waiting = msgspec.json.Decoder(Event)


@dataclass(frozen=True)
class Source:
    """One service. `url` is its owner role's, `app_url` its app role's where that is known."""

    service: str
    url: str
    consumed_types: frozenset[str]
    """The wire types that its group reacts to."""
    consumed_topics: tuple[str, ...]
    published_topics: tuple[str, ...]
    consistency_checks: tuple[ConsistencyCheck, ...] = ()
    event_references: tuple[EventReference, ...] = ()
    app_url: str | None = None


def source_of_service(service: str, url: str, app_url: str | None = None) -> Source:
    """Describe an installed service by what its `events.py` and `projections.py` declare."""
    consumes = import_module(f"services.{service}.events").CONSUMES
    facts = {fact for reaction in consumes for fact in reaction.on}
    writes = {fact.TOPIC for fact in PUBLISHERS[service]} | {f"dead.{service}"}
    contributed: Any = None  # a module, whose names are all optional
    if find_spec(f"services.{service}.projections"):
        contributed = import_module(f"services.{service}.projections")
    return Source(
        service=service,
        url=url,
        consumed_types=frozenset(fact.wire_type() for fact in facts),
        consumed_topics=tuple(sorted({fact.TOPIC for fact in facts})),
        published_topics=tuple(sorted(writes)),
        consistency_checks=getattr(contributed, "AGREEMENTS", ()),
        event_references=getattr(contributed, "EVENTS_NAMED", ()),
        app_url=app_url,
    )


@asynccontextmanager
async def read_only_connection(url: str) -> AsyncIterator[Any]:
    """Connect so that nothing can be written. Raises OSError and asyncpg's errors."""
    settings = {"default_transaction_read_only": "on", "application_name": "preau-reconcile"}
    plain = url.replace("+asyncpg", "", 1)
    opened = await asyncpg.connect(plain, timeout=10, server_settings=settings)
    try:
        yield opened
    finally:
        await opened.close(timeout=5)


async def stream_rows(connection: Any, query: str, *values: object) -> AsyncIterator[list[Any]]:
    """Return a query's rows in slices, inside a transaction."""
    cursor = await connection.cursor(query, *values)
    while rows := await cursor.fetch(MAX_SLICE_ROWS):
        yield rows


async def copy_frame_tables(source: Source, book: LogIndex) -> None:
    """Copy what the frame's tables say, as it was at one moment, and let go of the database."""
    book.db.executemany(
        "INSERT INTO wanted VALUES (?, ?)",
        [(source.service, kind) for kind in source.consumed_types],
    )
    group = source.service
    async with (
        read_only_connection(source.url) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        await _fill(book, "positions", 8, stream_rows(connection, _POSITIONS, group))
        await _fill(book, "aside", 8, stream_rows(connection, _ASIDE, group))
        await _fill(book, "heads", 3, stream_rows(connection, _HEADS))
        async for rows in stream_rows(connection, _OUTBOX):
            _write(book, "waiting", 5, [_waits(row) for row in rows])
        await _fill(book, "inbox", 2, stream_rows(connection, _INBOX, group))


async def read_current_heads(
    source: Source, places: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], int]:
    """Look a second time at the heads of some keys."""
    async with read_only_connection(source.url) as connection:
        rows = await connection.fetch(_SOME_HEADS, [t for t, _ in places], [k for _, k in places])
    return {(row["topic"], row["key"]): row["sequence"] for row in rows}


async def _fill(book: LogIndex, table: str, width: int, slices: AsyncIterator[list[Any]]) -> None:
    async for rows in slices:
        _write(book, table, width, [tuple(row) for row in rows])


def _write(book: LogIndex, table: str, width: int, rows: Iterable[tuple[Any, ...]]) -> None:
    marks = ", ".join("?" * width)
    book.db.execute("BEGIN")
    book.db.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608  our own words
    book.db.execute("COMMIT")


def _waits(row: Any) -> tuple[str, str, int, bytes, int]:
    event = _waiting.decode(row["value"])
    return row["topic"], row["key"], int(event.sequence), event.id.bytes, digest(row["value"])


_POSITIONS = """
    SELECT consumer_group, topic, partition, began, next_offset, applied, ignored, duplicate
    FROM positions WHERE consumer_group = $1
"""
_ASIDE = """
    SELECT consumer_group, topic, partition, "offset", key, uuid_send(event_id), tenant_id::text,
           state
    FROM parked WHERE consumer_group = $1
"""
_HEADS = "SELECT topic, key, sequence FROM heads"
_OUTBOX = "SELECT topic, key, value FROM outbox ORDER BY position"
_INBOX = """
    SELECT consumer_group, uuid_send(event_id) FROM inbox WHERE consumer_group = $1
    ORDER BY event_id
"""
_SOME_HEADS = """
    SELECT topic, key, sequence FROM heads
    WHERE (topic, key) IN (SELECT * FROM unnest($1::text[], $2::text[]))
"""
