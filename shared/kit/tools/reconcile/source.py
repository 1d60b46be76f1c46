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
from shared.kit.tools.reconcile.agreement import Agreement, EventNamed
from shared.kit.tools.reconcile.book import Book
from shared.kit.tools.reconcile.event import Event, digest

ROWS = 10_000
_waiting = msgspec.json.Decoder(Event)


@dataclass(frozen=True)
class Source:
    """One service. `url` is its owner role's, `app_url` its app role's where that is known."""

    service: str
    url: str
    wanted: frozenset[str]
    """The wire types that its group reacts to."""
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    agreements: tuple[Agreement, ...] = ()
    events_named: tuple[EventNamed, ...] = ()
    app_url: str | None = None


def declared(service: str, url: str, app_url: str | None = None) -> Source:
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
        wanted=frozenset(fact.wire_type() for fact in facts),
        reads=tuple(sorted({fact.TOPIC for fact in facts})),
        writes=tuple(sorted(writes)),
        agreements=getattr(contributed, "AGREEMENTS", ()),
        events_named=getattr(contributed, "EVENTS_NAMED", ()),
        app_url=app_url,
    )


@asynccontextmanager
async def looking(url: str) -> AsyncIterator[Any]:
    """Connect so that nothing can be written. Raises OSError and asyncpg's errors."""
    settings = {"default_transaction_read_only": "on", "application_name": "preau-reconcile"}
    plain = url.replace("+asyncpg", "", 1)
    opened = await asyncpg.connect(plain, timeout=10, server_settings=settings)
    try:
        yield opened
    finally:
        await opened.close(timeout=5)


async def stream(connection: Any, query: str, *values: object) -> AsyncIterator[list[Any]]:
    """Give a query's rows in slices, inside a transaction."""
    cursor = await connection.cursor(query, *values)
    while rows := await cursor.fetch(ROWS):
        yield rows


async def copy(source: Source, book: Book) -> None:
    """Copy what the frame's tables say, as it was at one moment, and let go of the database."""
    book.db.executemany(
        "INSERT INTO wanted VALUES (?, ?)", [(source.service, kind) for kind in source.wanted]
    )
    group = source.service
    async with (
        looking(source.url) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        await _fill(book, "positions", 8, stream(connection, _POSITIONS, group))
        await _fill(book, "aside", 8, stream(connection, _ASIDE, group))
        await _fill(book, "heads", 3, stream(connection, _HEADS))
        async for rows in stream(connection, _OUTBOX):
            _write(book, "waiting", 5, [_waits(row) for row in rows])
        await _fill(book, "inbox", 2, stream(connection, _INBOX, group))


async def heads_now(
    source: Source, places: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], int]:
    """Look a second time at the heads of some keys."""
    async with looking(source.url) as connection:
        rows = await connection.fetch(_SOME_HEADS, [t for t, _ in places], [k for _, k in places])
    return {(row["topic"], row["key"]): row["sequence"] for row in rows}


async def _fill(book: Book, table: str, width: int, slices: AsyncIterator[list[Any]]) -> None:
    async for rows in slices:
        _write(book, table, width, [tuple(row) for row in rows])


def _write(book: Book, table: str, width: int, rows: Iterable[tuple[Any, ...]]) -> None:
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
