"""The outbox: events are written in the transaction of the change that they describe.

`write` takes the next sequence of each key from `heads`, whose row lock is held until commit. The
positions of the rows are assigned after that, so the relay can send in the order of positions. An
id that is taken before the lock would be no such order. One statement does both, in one round trip.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zlib import crc32

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.event import (
    Envelope,
    Fact,
    Origin,
    encode,
    encode_data,
    partition_key,
    value_at,
)
from shared.contracts.ids import EventId, TenantId
from shared.kit.core.bus import MAX_RECORD_BYTES
from shared.kit.core.errors import Invalid
from shared.kit.core.unit_of_work import Caller, EventCause
from shared.kit.database.driver_statement import DriverStatement

SHARDS = 8
MAX_EVENT_BYTES = MAX_RECORD_BYTES - 10_000
"""Bytes of an encoded event; its key and headers take the rest of a record."""

_SEQUENCE_PLACEHOLDER = b'"sequence":"0000000000"'
"""In an encoded envelope; the statement that takes the sequence writes it over the zeros."""
_ZEROS_OFFSET = _SEQUENCE_PLACEHOLDER.index(b"0") + 1
"""Offset of the zeros in the placeholder; PostgreSQL counts bytes from one."""
INSERT_CTES = """
    rows AS MATERIALIZED (
        SELECT * FROM unnest((SELECT CAST(:shards AS smallint[])), (SELECT CAST(:topics AS text[])),
                             (SELECT CAST(:keys AS text[])), (SELECT CAST(:values AS bytea[])),
                             (SELECT CAST(:places AS int[])), (SELECT CAST(:traces AS text[])),
                             (SELECT CAST(:recorded AS timestamptz[]))) WITH ORDINALITY
             AS r (shard, topic, key, value, place, traceparent, recorded, nth)
    ), taken AS (
        INSERT INTO heads AS h (topic, key, sequence)
        SELECT topic, key, count(*) FROM rows GROUP BY topic, key ORDER BY topic, key
        ON CONFLICT (topic, key) DO UPDATE SET sequence = h.sequence + excluded.sequence
        RETURNING topic, key, sequence
    ), numbered AS (
        SELECT r.*, CAST(t.sequence + 1 - row_number() OVER (
            PARTITION BY r.topic, r.key ORDER BY nth DESC
        ) AS text) AS n
        FROM rows AS r JOIN taken AS t ON t.topic = r.topic AND t.key = r.key
    )
"""
"""The CTEs that `INSERT_EVENTS` reads; `insert_parameters` returns their parameters."""
INSERT_EVENTS = """
    INSERT INTO outbox (shard, topic, key, value, traceparent, recorded)
    SELECT shard, topic, key,
           overlay(value PLACING convert_to(lpad(n, greatest(10, length(n)), '0'), 'UTF8')
                   FROM place FOR 10),
           traceparent, recorded
    FROM numbered ORDER BY nth
"""
_WRITE = DriverStatement(sa.text(f"WITH {INSERT_CTES} {INSERT_EVENTS}"))


@dataclass(frozen=True, slots=True)
class PendingEvent:
    """An event that is not yet written: everything but its sequence and the time of writing."""

    event_id: EventId
    type: str
    topic: str
    key: str
    subject: str
    tenant: TenantId
    time: datetime
    correlation: str
    data: msgspec.Raw
    origin: Origin = Origin.LIVE
    actor: str | None = None
    cause: EventId | None = None
    traceparent: str | None = None


def make_pending_event(
    fact: Fact, cause: EventCause, *, event_id: EventId, at: datetime, traceparent: str | None
) -> PendingEvent:
    """Build the event of a fact: topic and key from its class, tenant and origin from its cause."""
    if isinstance(cause, Caller):
        actor = str(cause.member_id) if cause.member_id else None
        cause_id = None
    else:
        actor, cause_id = cause.actor, cause.event_id
    return PendingEvent(
        event_id=event_id,
        type=fact.wire_type(),
        topic=fact.TOPIC,
        key=partition_key(cause.tenant, fact),
        subject=str(value_at(fact, fact.SUBJECT)),
        tenant=cause.tenant,
        time=at,
        correlation=cause.correlation,
        data=encode_data(fact),
        origin=cause.origin,
        actor=actor,
        cause=cause_id,
        traceparent=traceparent,
    )


def shard_of(key: str) -> int:
    """Return the outbox shard of a key; one relay at a time sends the events of a shard."""
    return crc32(key.encode()) % SHARDS


@dataclass(frozen=True, slots=True)
class EncodedEvent:
    """An event as it is written to the outbox, without its sequence."""

    event: PendingEvent
    value: bytes
    recorded: datetime


def encode_events(
    events: Sequence[PendingEvent], *, service: str, now: datetime
) -> list[EncodedEvent]:
    """Encode these events. Raises `Invalid` for an event that is too large for a Kafka record.

    In the outbox it would block the relay for ever.
    """
    encoded_events = [
        EncodedEvent(event, encode(_envelope(event, service, now)), now) for event in events
    ]
    for encoded in encoded_events:
        if len(encoded.value) > MAX_EVENT_BYTES:
            raise Invalid(type=encoded.event.type, bytes=len(encoded.value), most=MAX_EVENT_BYTES)
    return encoded_events


def insert_parameters(encoded_events: Sequence[EncodedEvent]) -> dict[str, object]:
    """Return the values of the parameters in `INSERT_CTES`."""
    events = [encoded.event for encoded in encoded_events]
    values = [encoded.value for encoded in encoded_events]
    return {
        "shards": [shard_of(event.key) for event in events],
        "topics": [event.topic for event in events],
        "keys": [event.key for event in events],
        "values": values,
        # The first occurrence: quotes are escaped in the strings that precede it.
        "places": [value.index(_SEQUENCE_PLACEHOLDER) + _ZEROS_OFFSET for value in values],
        "traces": [event.traceparent for event in events],
        "recorded": [encoded.recorded for encoded in encoded_events],
    }


async def write(
    connection: AsyncConnection, events: Sequence[PendingEvent], *, service: str, now: datetime
) -> None:
    """Write these events to the outbox, in this order, each with the next sequence of its key.

    Raises `Invalid`, see `encode_events`.
    """
    if events:
        encoded_events = encode_events(events, service=service, now=now)
        await _WRITE.fetch(connection, insert_parameters(encoded_events))


def _envelope(event: PendingEvent, service: str, now: datetime) -> Envelope:
    return Envelope(
        id=event.event_id,
        type=event.type,
        source=f"/preau/{service}",
        subject=event.subject,
        time=event.time.astimezone(UTC),
        tenant=event.tenant,
        partitionkey=event.key,
        sequence="0" * 10,
        recordedtime=now.astimezone(UTC),
        correlationid=event.correlation,
        data=event.data,
        origin=event.origin,
        actor=event.actor,
        causeid=str(event.cause) if event.cause else None,
        dataschema=f"/schemas/{event.type}",
    )
