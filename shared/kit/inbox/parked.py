"""Parked events: those that failed, and the later ones of the same key that wait behind them.

Order per key holds while the partition goes on. Out of attempts, an event is dead: it leaves as a
dead letter through the outbox, and its key stays parked until an operator says replay or skip.
"""

import base64
import traceback
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.event import Fact, Origin
from shared.contracts.ids import EventId, TenantId
from shared.kit.core.bus import MAX_RECORD_BYTES, IncomingRecord, Partition
from shared.kit.core.unit_of_work import Delivery
from shared.kit.database.database import SqlUnit
from shared.kit.database.outbox import PendingEvent
from shared.kit.inbox.decode import BINARY_PREFIX, traceparent_of
from shared.kit.inbox.error_patterns import mask_literals

DEAD_LETTER = "preau.dead_letter.v1"
NO_TENANT = TenantId(UUID(int=0))
"""Stands in the envelope of a dead letter whose record named no tenant that can be read."""
NO_SUBJECT = UUID(int=0)
"""Subject of an audit row that is not about one event that can be read."""
MAX_SHOWN_BYTES = MAX_RECORD_BYTES - 500_000
"""Bytes of a record within its dead letter; the rest is for its stack and envelope."""
MAX_NAME_CHARACTERS = 1000

_KEYS = sa.text("""
    SELECT DISTINCT key FROM parked
    WHERE consumer_group = :consumer_group AND state IN ('parked', 'dead') AND key = ANY(:keys)
    UNION ALL
    SELECT NULL FROM halts WHERE consumer_group = :consumer_group AND since IS NOT NULL
""")
_PUT_ASIDE = sa.text("""
    INSERT INTO parked (consumer_group, topic, partition, "offset", key, event_id, type, tenant_id,
                        record_key, record_value, record_headers, traceparent, state, attempts,
                        next_try, first_failed, counted, cause, pattern, stack)
    SELECT :consumer_group, topic, partition, "offset", key, event_id, type, tenant_id,
           record_key, record_value, record_headers, traceparent, state, attempts, next_try,
           :now, CASE WHEN attempts > 0 THEN CAST(:now AS timestamptz) END, cause, pattern, stack
    FROM unnest(
        CAST(:topics AS text[]), CAST(:partitions AS int[]), CAST(:offsets AS bigint[]),
        CAST(:keys AS text[]), CAST(:event_ids AS uuid[]), CAST(:types AS text[]),
        CAST(:tenants AS uuid[]), CAST(:record_keys AS bytea[]), CAST(:record_values AS bytea[]),
        CAST(:record_headers AS bytea[]), CAST(:traceparents AS text[]), CAST(:states AS text[]),
        CAST(:attempts AS int[]), CAST(:next_tries AS timestamptz[]), CAST(:causes AS text[]),
        CAST(:patterns AS text[]), CAST(:stacks AS text[])
    ) AS new (topic, partition, "offset", key, event_id, type, tenant_id, record_key, record_value,
              record_headers, traceparent, state, attempts, next_try, cause, pattern, stack)
    ON CONFLICT DO NOTHING
""")


@dataclass(frozen=True, slots=True)
class LogPosition:
    """Where in the log a record stands: `topic/partition/offset`."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"

    @classmethod
    def parse(cls, text: str) -> "LogPosition":
        """Read it as it is printed. Raises ValueError."""
        topic, partition, offset = text.rsplit("/", 2)
        return cls(topic, int(partition), int(offset))


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an event was not applied."""

    cause: str
    stack: str = ""

    @classmethod
    def from_exception(cls, error: BaseException) -> "Failure":
        """Describe an exception, its stack included."""
        stack = "".join(traceback.format_exception(error, limit=-12))
        cause = f"{type(error).__name__}: {error}"
        # Trap: neither the table nor a letter can hold a NUL, whatever the error quotes.
        return cls(cause[:2000].replace("\0", "\ufffd"), stack[:20_000].replace("\0", "\ufffd"))

    @property
    def pattern(self) -> str:
        """The cause as it is counted by."""
        return mask_literals(self.cause)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often, and after how long, a parked event is tried again."""

    max_attempts: int = 5
    first_delay: timedelta = timedelta(seconds=1)
    max_delay: timedelta = timedelta(minutes=5)

    def delay_after(self, attempts: int) -> timedelta:
        """Return how long to wait after so many failed attempts: doubled each time."""
        doublings = min(max(attempts - 1, 0), 30)
        return min(self.first_delay * (1 << doublings), self.max_delay)


@dataclass(frozen=True, slots=True)
class ParkedRecord:
    """A record that is not applied now: it failed, or it waits behind one of its key."""

    record: IncomingRecord
    delivery: Delivery[Fact] | None
    failure: Failure | None = None
    state: str = "parked"
    attempts: int = 0
    next_try: datetime | None = None


async def find_blocked_keys(
    connection: AsyncConnection, group: str, keys: Collection[str]
) -> tuple[set[str], bool]:
    """Return which of these keys have an event parked, and whether the group is stopped."""
    rows = await connection.execute(_KEYS, {"consumer_group": group, "keys": list(set(keys))})
    found: set[str | None] = set(rows.scalars())
    return {key for key in found if key is not None}, None in found


async def park(unit: SqlUnit, group: str, asides: Sequence[ParkedRecord]) -> None:
    """Keep these records, in one statement; the dead among them leave as dead letters too."""
    await unit.connection.execute(
        _PUT_ASIDE, {"consumer_group": group, "now": unit.now, **_columns(asides)}
    )
    for aside in asides:
        if aside.state == "dead" and aside.failure is not None:
            publish_dead_letter(
                unit, group, aside.record, aside.delivery, aside.failure, aside.attempts
            )


def _columns(asides: Sequence[ParkedRecord]) -> dict[str, list[object]]:
    records = [aside.record for aside in asides]
    deliveries = [aside.delivery for aside in asides]
    failures = [aside.failure for aside in asides]
    return {
        "topics": [record.partition.topic for record in records],
        "partitions": [record.partition.number for record in records],
        "offsets": [record.offset for record in records],
        "keys": [each.key if each else None for each in deliveries],
        "event_ids": [each.event_id if each else None for each in deliveries],
        "types": [each.fact.wire_type() if each else None for each in deliveries],
        "tenants": [each.tenant if each else None for each in deliveries],
        "record_keys": [record.key for record in records],
        "record_values": [record.value for record in records],
        "record_headers": [_headers(record) for record in records],
        "traceparents": [traceparent_of(record) for record in records],
        "states": [aside.state for aside in asides],
        "attempts": [aside.attempts for aside in asides],
        "next_tries": [aside.next_try for aside in asides],
        "causes": [each.cause if each else None for each in failures],
        "patterns": [each.pattern if each else None for each in failures],
        "stacks": [each.stack if each else None for each in failures],
    }


def publish_dead_letter(
    unit: SqlUnit,
    group: str,
    record: IncomingRecord,
    delivery: Delivery[Fact] | None,
    failure: Failure,
    attempts: int,
) -> None:
    """Send the dead letter through the outbox, so that it cannot be lost: cause, stack, record."""
    place = f"{record.partition.topic}/{record.partition.number}/{record.offset}"
    key = delivery.key if delivery else place
    letter = {
        "group": group,
        "topic": record.partition.topic,
        "partition": record.partition.number,
        "offset": record.offset,
        "attempts": attempts,
        "cause": failure.cause,
        "stack": failure.stack,
        **_shown("record_key", record.key, MAX_NAME_CHARACTERS),
        **_shown("record", record.value, MAX_SHOWN_BYTES),
    }
    unit.events.append(
        PendingEvent(
            event_id=EventId(unit.new_id()),
            type=DEAD_LETTER,
            topic=f"dead.{group}",
            key=key,
            subject=place,
            tenant=delivery.tenant if delivery else NO_TENANT,
            time=unit.now,
            correlation=delivery.correlation[:MAX_NAME_CHARACTERS] if delivery else place,
            data=msgspec.Raw(msgspec.json.encode(letter)),
            origin=delivery.origin if delivery else Origin.LIVE,
            cause=delivery.event_id if delivery else None,
            traceparent=traceparent_of(record),
        )
    )


def _shown(name: str, value: bytes | None, longest: int) -> dict[str, str | int | None]:
    """Show bytes as text where they are text, else in base64 (`name_base64`); whole either way.

    What would make the letter itself too large to be sent is left in `parked`, where it is whole,
    and in the log at the place that the letter names; `name_bytes` says how much it is.
    """
    if value is None:
        return {name: None}
    text = _text(value)
    if text is not None and len(msgspec.json.encode(text)) <= longest:
        return {name: text}
    encoded = base64.b64encode(value).decode()
    if len(encoded) <= longest:
        return {f"{name}_base64": encoded}
    return {name: None, f"{name}_bytes": len(value)}


def _text(value: bytes) -> str | None:
    """Trap: a NUL is text to UTF-8, but to no reader of a letter that keeps it in PostgreSQL."""
    try:
        return None if b"\x00" in value else value.decode()
    except UnicodeDecodeError:
        return None


def _headers(record: IncomingRecord) -> bytes | None:
    """Keep the headers where the event itself is in them (binary mode)."""
    if any(name.startswith(BINARY_PREFIX) for name, _ in record.headers):
        return msgspec.json.encode(record.headers)
    return None


def to_record(row: sa.Row[Any]) -> IncomingRecord:
    """Build the record again from a parked row."""
    headers: tuple[tuple[str, bytes | None], ...] = ()
    if row.record_headers is not None:
        headers = msgspec.json.decode(row.record_headers, type=tuple[tuple[str, bytes | None], ...])
    elif row.traceparent:
        headers = (("traceparent", row.traceparent.encode()),)
    place = Partition(row.topic, row.partition)
    return IncomingRecord(place, row.offset, row.record_key, row.record_value, headers)


def next_attempt_at(retry: RetryPolicy, attempts: int, now: datetime) -> datetime:
    """Return when an event that failed so often is due again."""
    return now + retry.delay_after(attempts)
