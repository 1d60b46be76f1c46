"""From a record to a delivery: known facts, things to ignore, and what nobody can read."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import lru_cache

import msgspec

from shared.contracts.catalogue import PUBLISHERS, decoder_of
from shared.contracts.event import Fact, Instant, Origin, older_versions
from shared.contracts.ids import EventId, TenantId
from shared.kit.core.bus import IncomingRecord
from shared.kit.core.unit_of_work import Delivery

DECODE_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError)
MAX_KEY_CHARACTERS = 200
"""A tenant's id and an aggregate's take 73 characters; an index could not hold any length."""
MAX_SEQUENCE_DIGITS = 18
BINARY_PREFIX = "ce_"
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""A NUL's escape; a backslash that somebody wrote is itself escaped, and no part of one."""
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

SEQUENCED_SOURCES = {fact.TOPIC: "/preau/identity" for fact in PUBLISHERS["identity"]}
"""Who alone may write in the topics of identity; their sequences are kept."""


class IncomingEnvelope(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What of an envelope a delivery is made of; see `shared.contracts.event.Envelope`.

    The tenant stays text here: a group reads millions of events of few tenants, and one object for
    each makes comparing them cheap.
    """

    id: EventId
    type: str
    source: str
    subject: str
    time: Instant
    tenant: str
    partitionkey: str
    sequence: str
    recordedtime: Instant
    correlationid: str
    data: msgspec.Raw
    origin: Origin = Origin.LIVE
    actor: str | None = None
    causeid: str | None = None


_arrived = msgspec.json.Decoder(IncomingEnvelope).decode


class SequenceLink(msgspec.Struct, frozen=True, gc=False):
    """Where an event stands in the order of its key; see `sequences`."""

    key: str
    sequence: int
    event_id: EventId


class Ignored(msgspec.Struct, frozen=True, gc=False):
    """A type or version that this group does not know or does not react to.

    `link` is None where no sequence is kept.
    """

    record: IncomingRecord
    type: str
    link: SequenceLink | None = None


class Unreadable(msgspec.Struct, frozen=True, gc=False):
    """A record that cannot be decoded, now or later; `link` where its envelope can."""

    record: IncomingRecord
    cause: str
    link: SequenceLink | None = None


class Decoded(msgspec.Struct, frozen=True, gc=False):
    """A fact that this group reacts to."""

    record: IncomingRecord
    delivery: Delivery[Fact]


DecodedRecord = Ignored | Unreadable | Decoded
EventDecoders = Mapping[str, Callable[[msgspec.Raw], Fact]]
"""What a group reacts to: how the data of each wire type becomes the fact that it declares."""


class ConflictingVersions(Exception):
    """A group reacts to two versions of one fact; its text says what to do."""


def decode_record(
    record: IncomingRecord, wanted: EventDecoders, received: datetime
) -> DecodedRecord:
    """Decode one record. Never raises for what stands in it."""
    link = None
    try:
        envelope = _arrived(_structured(record))
        tenant, beginning = _tenant(envelope.tenant)
        key = envelope.partitionkey
        if not key.startswith(beginning):
            return Unreadable(record, "tenant_mismatch: the key belongs to another tenant")
        if len(key) > MAX_KEY_CHARACTERS:
            return Unreadable(record, f"partitionkey: longer than {MAX_KEY_CHARACTERS} characters")
        source = SEQUENCED_SOURCES.get(record.partition.topic)
        if source is not None:
            if envelope.source != source:
                return Unreadable(record, f"refused: source {envelope.source[:100]}, not {source}")
            link = SequenceLink(key, _sequence(envelope.sequence), envelope.id)
        decoded = wanted.get(envelope.type)
        if decoded is None:
            return Ignored(record, envelope.type, link)
        fact = decoded(envelope.data)
        return Decoded(record, _delivery(record, envelope, tenant, fact, received))
    except DECODE_ERRORS as error:
        return Unreadable(record, f"{type(error).__name__}: {error}", link)


def decoders_for(facts: Iterable[type[Fact]]) -> EventDecoders:
    """Return how to read what a group reacts to, and each version before that as the one after it.

    Raises `ConflictingVersions`.
    """
    declared = set(facts)
    found: dict[str, Callable[[msgspec.Raw], Fact]] = {}
    for fact in declared:
        found[fact.wire_type()] = decoder_of(fact).decode
        after = [fact]
        for older in older_versions(fact):
            if older in declared:
                raise ConflictingVersions(
                    f"{older.wire_type()} and {fact.wire_type()} are one event told twice, and an"
                    " event is applied once: the second would be a repetition, in silence. Let all"
                    f" reactions of the service name the same one: {fact.__name__} if they can."
                )
            found[older.wire_type()] = _lifted(older, tuple(reversed(after)))
            after.append(older)
    return found


def _lifted(older: type[Fact], steps: tuple[type[Fact], ...]) -> Callable[[msgspec.Raw], Fact]:
    decode = decoder_of(older).decode

    def lifted(data: msgspec.Raw) -> Fact:
        fact = decode(data)
        try:
            for step in steps:
                fact = step.upcast(fact)
        except Exception as error:
            # What it raises is no reader's business: one record must not stop those around it.
            raise ValueError(f"{older.__name__} has no later version: {error!r}") from error
        return fact

    return lifted


def wire_type_of(record: IncomingRecord) -> str:
    """Say the wire type of a record that was read. Raises as one that cannot be."""
    return _arrived(_structured(record)).type


def _sequence(text: str) -> int:
    """Read a sequence that PostgreSQL can hold. Raises ValueError."""
    if not (text.isascii() and text.isdecimal() and len(text) <= MAX_SEQUENCE_DIGITS):
        msg = f"sequence: not a number of up to {MAX_SEQUENCE_DIGITS} digits"
        raise ValueError(msg)
    return int(text)


@lru_cache(maxsize=4096)
def _tenant(text: str) -> tuple[TenantId, str]:
    """Read a tenant's id, and say what its keys begin with. Raises `msgspec.ValidationError`."""
    tenant = msgspec.convert(text, TenantId)
    return tenant, f"{tenant}:"


def _structured(record: IncomingRecord) -> bytes:
    """Return the whole event as JSON, put together from the headers when it came in binary mode."""
    value = record.value or b""
    # One character first: looking for six costs as much as decoding half of the envelope.
    if b"\\" in value and b"\\u0000" in value and _NUL.search(value):
        msg = "NUL character: PostgreSQL cannot hold it"
        raise ValueError(msg)
    attributes: dict[str, object] = {}
    for name, content in record.headers:
        if name.startswith(BINARY_PREFIX):
            attributes[name.removeprefix(BINARY_PREFIX)] = (content or b"").decode()
    if not attributes:
        return value
    return msgspec.json.encode({**attributes, "data": msgspec.Raw(value)})


def _delivery(
    record: IncomingRecord,
    envelope: IncomingEnvelope,
    tenant: TenantId,
    fact: Fact,
    received: datetime,
) -> Delivery[Fact]:
    return Delivery(
        fact=fact,
        event_id=envelope.id,
        tenant=tenant,
        time=envelope.time,
        recorded=envelope.recordedtime,
        received=received,
        origin=envelope.origin,
        correlation=envelope.correlationid,
        sequence=int(envelope.sequence),
        key=envelope.partitionkey,
        partition=record.partition,
        offset=record.offset,
        actor=envelope.actor,
        cause_id=EventId(msgspec.convert(envelope.causeid, type=EventId))
        if envelope.causeid
        else None,
        traceparent=traceparent_of(record),
    )


def traceparent_of(record: IncomingRecord) -> str | None:
    """Find the W3C trace context among a record's headers; one that is none of that is left out."""
    for name, value in record.headers:
        if name == "traceparent" and value is not None and _TRACEPARENT.fullmatch(value):
            return value.decode("ascii")
    return None
