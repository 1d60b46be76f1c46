"""Parked events: failed ones, and the later ones of the same key that are blocked behind them.

The partition continues, and the order per key is kept. After its last attempt an event is dead: it
is published to the dead letters through the outbox, and its key stays blocked until an operator
replays or skips the event.
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
"""The tenant in the envelope of a dead letter whose record contains no readable tenant."""
NO_SUBJECT = UUID(int=0)
"""The subject of an audit row that is not about one readable event."""
MAX_SHOWN_BYTES = MAX_RECORD_BYTES - 500_000
"""The part of a record within its dead letter; the rest is for its stack and envelope."""
MAX_NAME_CHARACTERS = 1000

_FIND_BLOCKED_KEYS = sa.text("""
    SELECT DISTINCT key FROM parked
    WHERE consumer_group = :consumer_group AND state IN ('parked', 'dead') AND key = ANY(:keys)
    UNION ALL
    SELECT NULL FROM halts WHERE consumer_group = :consumer_group AND since IS NOT NULL
""")
_INSERT_PARKED = sa.text("""
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
    """The position of a record in the log: `topic/partition/offset`."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"

    @classmethod
    def parse(cls, text: str) -> "LogPosition":
        """Parse the printed form. Raises ValueError."""
        topic, partition, offset = text.rsplit("/", 2)
        return cls(topic, int(partition), int(offset))


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an event was not applied: a cause in one line, and a stack trace."""

    cause: str
    stack: str = ""

    @classmethod
    def from_exception(cls, error: BaseException) -> "Failure":
        """Describe an exception, including its stack trace."""
        stack = "".join(traceback.format_exception(error, limit=-12))
        cause = f"{type(error).__name__}: {error}"
        # Trap: PostgreSQL rejects a NUL in a text, and an error may quote one.
        return cls(cause[:2000].replace("\0", "\ufffd"), stack[:20_000].replace("\0", "\ufffd"))

    @property
    def pattern(self) -> str:
        """The cause with its literals masked; failures are grouped by it."""
        return mask_literals(self.cause)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a parked event is tried, and the exponential backoff between attempts."""

    max_attempts: int = 5
    first_delay: timedelta = timedelta(seconds=1)
    max_delay: timedelta = timedelta(minutes=5)

    def delay_after(self, attempts: int) -> timedelta:
        """Return the delay after this many failed attempts: doubled each time, up to the limit."""
        doublings = min(max(attempts - 1, 0), 30)
        return min(self.first_delay * (1 << doublings), self.max_delay)


@dataclass(frozen=True, slots=True)
class ParkedRecord:
    """A record that is not applied now: it failed, or is blocked behind another one of its key."""

    record: IncomingRecord
    delivery: Delivery[Fact] | None
    failure: Failure | None = None
    state: str = "parked"
    attempts: int = 0
    next_try: datetime | None = None


async def find_blocked_keys(
    connection: AsyncConnection, group: str, keys: Collection[str]
) -> tuple[set[str], bool]:
    """Return which of these keys have a parked event, and whether the circuit breaker is open."""
    rows = await connection.execute(
        _FIND_BLOCKED_KEYS, {"consumer_group": group, "keys": list(set(keys))}
    )
    # A NULL among the keys means that the circuit breaker is open.
    keys_or_null: set[str | None] = set(rows.scalars())
    return {key for key in keys_or_null if key is not None}, None in keys_or_null


async def park(unit: SqlUnit, group: str, parked_records: Sequence[ParkedRecord]) -> None:
    """Insert these records with one statement; the dead ones are published as dead letters too."""
    await unit.connection.execute(
        _INSERT_PARKED, {"consumer_group": group, "now": unit.now, **_columns(parked_records)}
    )
    for parked in parked_records:
        if parked.state == "dead" and parked.failure is not None:
            publish_dead_letter(
                unit, group, parked.record, parked.delivery, parked.failure, parked.attempts
            )


def _columns(parked_records: Sequence[ParkedRecord]) -> dict[str, list[object]]:
    records = [parked.record for parked in parked_records]
    deliveries = [parked.delivery for parked in parked_records]
    failures = [parked.failure for parked in parked_records]
    return {
        "topics": [record.partition.topic for record in records],
        "partitions": [record.partition.number for record in records],
        "offsets": [record.offset for record in records],
        "keys": [delivery.key if delivery else None for delivery in deliveries],
        "event_ids": [delivery.event_id if delivery else None for delivery in deliveries],
        "types": [delivery.fact.wire_type() if delivery else None for delivery in deliveries],
        "tenants": [delivery.tenant if delivery else None for delivery in deliveries],
        "record_keys": [record.key for record in records],
        "record_values": [record.value for record in records],
        "record_headers": [_encode_headers(record) for record in records],
        "traceparents": [traceparent_of(record) for record in records],
        "states": [parked.state for parked in parked_records],
        "attempts": [parked.attempts for parked in parked_records],
        "next_tries": [parked.next_try for parked in parked_records],
        "causes": [failure.cause if failure else None for failure in failures],
        "patterns": [failure.pattern if failure else None for failure in failures],
        "stacks": [failure.stack if failure else None for failure in failures],
    }


def publish_dead_letter(
    unit: SqlUnit,
    group: str,
    record: IncomingRecord,
    delivery: Delivery[Fact] | None,
    failure: Failure,
    attempts: int,
) -> None:
    """Publish the record, its cause and its stack trace through the outbox to `dead.<group>`."""
    position = f"{record.partition.topic}/{record.partition.number}/{record.offset}"
    key = delivery.key if delivery else position
    data = {
        "group": group,
        "topic": record.partition.topic,
        "partition": record.partition.number,
        "offset": record.offset,
        "attempts": attempts,
        "cause": failure.cause,
        "stack": failure.stack,
        **_show_bytes("record_key", record.key, MAX_NAME_CHARACTERS),
        **_show_bytes("record", record.value, MAX_SHOWN_BYTES),
    }
    unit.events.append(
        PendingEvent(
            event_id=EventId(unit.new_id()),
            type=DEAD_LETTER,
            topic=f"dead.{group}",
            key=key,
            subject=position,
            tenant=delivery.tenant if delivery else NO_TENANT,
            time=unit.now,
            correlation=delivery.correlation[:MAX_NAME_CHARACTERS] if delivery else position,
            data=msgspec.Raw(msgspec.json.encode(data)),
            origin=delivery.origin if delivery else Origin.LIVE,
            cause=delivery.event_id if delivery else None,
            traceparent=traceparent_of(record),
        )
    )


def _show_bytes(name: str, value: bytes | None, max_bytes: int) -> dict[str, str | int | None]:
    """Show bytes as text if they are text, else in base64 (`name_base64`); never truncated.

    A value that would make the dead letter too large to send is left out, and `name_bytes` is its
    size; the table `parked` and the log contain it.
    """
    if value is None:
        return {name: None}
    text = _decode_text(value)
    if text is not None and len(msgspec.json.encode(text)) <= max_bytes:
        return {name: text}
    encoded = base64.b64encode(value).decode()
    if len(encoded) <= max_bytes:
        return {f"{name}_base64": encoded}
    return {name: None, f"{name}_bytes": len(value)}


def _decode_text(value: bytes) -> str | None:
    """Decode UTF-8; None when it is not, or contains a NUL.

    Trap: a NUL is valid UTF-8, but a reader that stores the text in PostgreSQL cannot.
    """
    try:
        return None if b"\x00" in value else value.decode()
    except UnicodeDecodeError:
        return None


def _encode_headers(record: IncomingRecord) -> bytes | None:
    """Encode the headers of a record in binary mode, where they contain the envelope."""
    if any(name.startswith(BINARY_PREFIX) for name, _ in record.headers):
        return msgspec.json.encode(record.headers)
    return None


def to_record(row: sa.Row[Any]) -> IncomingRecord:
    """Build the record of a row of the table `parked`."""
    headers: tuple[tuple[str, bytes | None], ...] = ()
    if row.record_headers is not None:
        headers = msgspec.json.decode(row.record_headers, type=tuple[tuple[str, bytes | None], ...])
    elif row.traceparent:
        headers = (("traceparent", row.traceparent.encode()),)
    partition = Partition(row.topic, row.partition)
    return IncomingRecord(partition, row.offset, row.record_key, row.record_value, headers)


def next_attempt_at(policy: RetryPolicy, attempts: int, now: datetime) -> datetime:
    """Return the time of the next attempt after this many failed attempts."""
    return now + policy.delay_after(attempts)
