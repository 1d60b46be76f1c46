"""Access to a service's database and to what the service declares about it."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import asyncpg
import msgspec

from shared.contracts.catalogue import PUBLISHERS
from shared.kit.tools.reconcile.declarations import ConsistencyCheck, EventReference
from shared.kit.tools.reconcile.event import Event, digest
from shared.kit.tools.reconcile.log_index import LogIndex

MAX_SLICE_ROWS = 10_000
_event_decoder = msgspec.json.Decoder(Event)


@dataclass(frozen=True)
class Source:
    """A service to check. `url` is of its owner role, `app_url` of its app role if known."""

    service: str
    url: str
    consumed_types: frozenset[str]
    """Wire types that the service's group reacts to."""
    consumed_topics: tuple[str, ...]
    published_topics: tuple[str, ...]
    consistency_checks: tuple[ConsistencyCheck, ...] = ()
    event_references: tuple[EventReference, ...] = ()
    app_url: str | None = None


def source_of_service(service: str, url: str, app_url: str | None = None) -> Source:
    """Describe an installed service by the declarations of its `events.py` and `projections.py`."""
    consumes = import_module(f"services.{service}.events").CONSUMES
    facts = {fact for reaction in consumes for fact in reaction.on}
    published_topics = {fact.TOPIC for fact in PUBLISHERS[service]} | {f"dead.{service}"}
    projections: Any = None  # a module; each of its names is optional
    if find_spec(f"services.{service}.projections"):
        projections = import_module(f"services.{service}.projections")
    return Source(
        service=service,
        url=url,
        consumed_types=frozenset(fact.wire_type() for fact in facts),
        consumed_topics=tuple(sorted({fact.TOPIC for fact in facts})),
        published_topics=tuple(sorted(published_topics)),
        consistency_checks=getattr(projections, "CONSISTENCY_CHECKS", ()),
        event_references=getattr(projections, "EVENT_REFERENCES", ()),
        app_url=app_url,
    )


@asynccontextmanager
async def read_only_connection(url: str) -> AsyncIterator[Any]:
    """Connect so that PostgreSQL rejects writes. Raises OSError and asyncpg's errors."""
    settings = {"default_transaction_read_only": "on", "application_name": "preau-reconcile"}
    asyncpg_url = url.replace("+asyncpg", "", 1)
    connection = await asyncpg.connect(asyncpg_url, timeout=10, server_settings=settings)
    try:
        yield connection
    finally:
        await connection.close(timeout=5)


async def stream_rows(connection: Any, query: str, *values: object) -> AsyncIterator[list[Any]]:
    """Yield a query's rows in slices of `MAX_SLICE_ROWS`; needs a transaction."""
    cursor = await connection.cursor(query, *values)
    while rows := await cursor.fetch(MAX_SLICE_ROWS):
        yield rows


async def copy_frame_tables(source: Source, index: LogIndex) -> None:
    """Copy the kit's tables of a service to the index, in one snapshot."""
    index.db.executemany(
        "INSERT INTO wanted VALUES (?, ?)",
        [(source.service, wire_type) for wire_type in source.consumed_types],
    )
    group = source.service
    async with (
        read_only_connection(source.url) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        await _copy_rows(index, "positions", 8, stream_rows(connection, _POSITIONS, group))
        await _copy_rows(index, "aside", 8, stream_rows(connection, _PARKED, group))
        await _copy_rows(index, "heads", 3, stream_rows(connection, _HEADS))
        async for rows in stream_rows(connection, _OUTBOX):
            _insert_rows(index, "waiting", 5, [_outbox_row(row) for row in rows])
        await _copy_rows(index, "inbox", 2, stream_rows(connection, _INBOX, group))


async def read_current_heads(
    source: Source, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], int]:
    """Return the current sequences of these keys, given as (topic, key)."""
    async with read_only_connection(source.url) as connection:
        rows = await connection.fetch(
            _HEADS_OF_KEYS, [topic for topic, _ in keys], [key for _, key in keys]
        )
    return {(row["topic"], row["key"]): row["sequence"] for row in rows}


async def _copy_rows(
    index: LogIndex, table: str, width: int, slices: AsyncIterator[list[Any]]
) -> None:
    async for rows in slices:
        _insert_rows(index, table, width, [tuple(row) for row in rows])


def _insert_rows(index: LogIndex, table: str, width: int, rows: Iterable[tuple[Any, ...]]) -> None:
    marks = ", ".join("?" * width)
    index.db.execute("BEGIN")
    index.db.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608  no user input
    index.db.execute("COMMIT")


def _outbox_row(row: Any) -> tuple[str, str, int, bytes, int]:
    event = _event_decoder.decode(row["value"])
    return row["topic"], row["key"], int(event.sequence), event.id.bytes, digest(row["value"])


_POSITIONS = """
    SELECT consumer_group, topic, partition, began, next_offset, applied, ignored, duplicate
    FROM positions WHERE consumer_group = $1
"""
_PARKED = """
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
_HEADS_OF_KEYS = """
    SELECT topic, key, sequence FROM heads
    WHERE (topic, key) IN (SELECT * FROM unnest($1::text[], $2::text[]))
"""
