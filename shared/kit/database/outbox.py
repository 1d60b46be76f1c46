"""The outbox: facts written in the transaction of the change that they tell of.

`write` takes the next sequence of every key from `heads`, whose row lock is held until commit, and
the positions given after that are the relay's order. An id taken before commit is no order. One
statement does both: a command waits for the database once.
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
"""Bytes of an event as it is written; its key and headers take the rest of a record."""

_UNNUMBERED = b'"sequence":"0000000000"'
"""How an envelope is encoded: PostgreSQL puts its number there, in the statement that takes it."""
_NUMBER_AT = _UNNUMBERED.index(b"0") + 1
"""Where in that the number begins; PostgreSQL counts bytes from one."""
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
"""The CTEs before `INSERT_EVENTS`, standalone or in a larger statement."""
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
    """One event to be written, all but its sequence and the moment of writing."""

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
    fact: Fact, because: EventCause, *, event_id: EventId, at: datetime, traceparent: str | None
) -> PendingEvent:
    """Address a fact: topic and key from its class, tenant and origin from what it follows from."""
    if isinstance(because, Caller):
        actor = str(because.member_id) if because.member_id else None
        cause = None
    else:
        actor, cause = because.actor, because.event_id
    return PendingEvent(
        event_id=event_id,
        type=fact.wire_type(),
        topic=fact.TOPIC,
        key=partition_key(because.tenant, fact),
        subject=str(value_at(fact, fact.SUBJECT)),
        tenant=because.tenant,
        time=at,
        correlation=because.correlation,
        data=encode_data(fact),
        origin=because.origin,
        actor=actor,
        cause=cause,
        traceparent=traceparent,
    )


def shard_of(key: str) -> int:
    """Return which shard, and so which relay, sends the events of this key."""
    return crc32(key.encode()) % SHARDS


@dataclass(frozen=True, slots=True)
class EncodedEvent:
    """An event as it is written, all but its sequence."""

    event: PendingEvent
    value: bytes
    recorded: datetime


def encode_events(
    entries: Sequence[PendingEvent], *, service: str, now: datetime
) -> list[EncodedEvent]:
    """Encode these events. Raises `Invalid` for one that no broker would take.

    It would stop the relay for good.
    """
    made = [EncodedEvent(entry, encode(_envelope(entry, service, now)), now) for entry in entries]
    for each in made:
        if len(each.value) > MAX_EVENT_BYTES:
            raise Invalid(type=each.event.type, bytes=len(each.value), most=MAX_EVENT_BYTES)
    return made


def insert_parameters(events: Sequence[EncodedEvent]) -> dict[str, object]:
    """Return the values that `PARTS` names."""
    entries = [each.event for each in events]
    return {
        "shards": [shard_of(entry.key) for entry in entries],
        "topics": [entry.topic for entry in entries],
        "keys": [entry.key for entry in entries],
        "values": [each.value for each in events],
        # The first: what stands before it are strings, whose quotes are escaped.
        "places": [each.value.index(_UNNUMBERED) + _NUMBER_AT for each in events],
        "traces": [entry.traceparent for entry in entries],
        "recorded": [each.recorded for each in events],
    }


async def write(
    connection: AsyncConnection, entries: Sequence[PendingEvent], *, service: str, now: datetime
) -> None:
    """Write these events to the outbox, in this order, with a sequence each and no gaps.

    Raises `Invalid`, see `ready`.
    """
    if entries:
        await _WRITE.fetch(
            connection, insert_parameters(encode_events(entries, service=service, now=now))
        )


def _envelope(entry: PendingEvent, service: str, now: datetime) -> Envelope:
    return Envelope(
        id=entry.event_id,
        type=entry.type,
        source=f"/preau/{service}",
        subject=entry.subject,
        time=entry.time.astimezone(UTC),
        tenant=entry.tenant,
        partitionkey=entry.key,
        sequence="0" * 10,
        recordedtime=now.astimezone(UTC),
        correlationid=entry.correlation,
        data=entry.data,
        origin=entry.origin,
        actor=entry.actor,
        causeid=str(entry.cause) if entry.cause else None,
        dataschema=f"/schemas/{entry.type}",
    )
