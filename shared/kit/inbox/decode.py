"""Decodes records into deliveries; other records are ignored or unreadable."""

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
"""A tenant's id and an aggregate's take 73 characters; an index row cannot have any length."""
MAX_SEQUENCE_DIGITS = 18
BINARY_PREFIX = "ce_"
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""The JSON escape of a NUL, but not an escaped backslash followed by `u0000`."""
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

SEQUENCED_SOURCES = {fact.TOPIC: "/preau/identity" for fact in PUBLISHERS["identity"]}
"""The only allowed source in each topic of identity; the sequences of these topics are checked."""


class IncomingEnvelope(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The fields of an envelope that a delivery needs; see `shared.contracts.event.Envelope`.

    The tenant is decoded as text: a group reads millions of events of few tenants, and one shared
    id object for each tenant makes comparisons cheap (`_parse_tenant`).
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


_decode_envelope = msgspec.json.Decoder(IncomingEnvelope).decode


class SequenceLink(msgspec.Struct, frozen=True, gc=False):
    """The sequence number of an event within its key; see `sequences`."""

    key: str
    sequence: int
    event_id: EventId


class Ignored(msgspec.Struct, frozen=True, gc=False):
    """A record of a type or version that this group does not react to.

    `link` is None in topics whose sequences are not checked.
    """

    record: IncomingRecord
    type: str
    link: SequenceLink | None = None


class Unreadable(msgspec.Struct, frozen=True, gc=False):
    """A record that cannot be decoded, now or later; it has a `link` if its envelope can."""

    record: IncomingRecord
    cause: str
    link: SequenceLink | None = None


class Decoded(msgspec.Struct, frozen=True, gc=False):
    """A record with an event that this group reacts to."""

    record: IncomingRecord
    delivery: Delivery[Fact]


DecodedRecord = Ignored | Unreadable | Decoded
EventDecoders = Mapping[str, Callable[[msgspec.Raw], Fact]]
"""For each wire type that a group reacts to, the decoder of an event's data."""


class ConflictingVersions(Exception):
    """A group reacts to two versions of one event type; the message contains the remedy."""


def decode_record(
    record: IncomingRecord, decoders: EventDecoders, received: datetime
) -> DecodedRecord:
    """Decode a record. Never raises: a record that cannot be decoded is `Unreadable`."""
    link = None
    try:
        envelope = _decode_envelope(_to_structured_json(record))
        tenant, key_prefix = _parse_tenant(envelope.tenant)
        key = envelope.partitionkey
        if not key.startswith(key_prefix):
            return Unreadable(record, "tenant_mismatch: the key belongs to another tenant")
        if len(key) > MAX_KEY_CHARACTERS:
            return Unreadable(record, f"partitionkey: longer than {MAX_KEY_CHARACTERS} characters")
        source = SEQUENCED_SOURCES.get(record.partition.topic)
        if source is not None:
            if envelope.source != source:
                return Unreadable(record, f"refused: source {envelope.source[:100]}, not {source}")
            link = SequenceLink(key, _parse_sequence(envelope.sequence), envelope.id)
        decode = decoders.get(envelope.type)
        if decode is None:
            return Ignored(record, envelope.type, link)
        fact = decode(envelope.data)
        return Decoded(record, _to_delivery(record, envelope, tenant, fact, received))
    except DECODE_ERRORS as error:
        return Unreadable(record, f"{type(error).__name__}: {error}", link)


def decoders_for(facts: Iterable[type[Fact]]) -> EventDecoders:
    """Return the decoders of these event types; earlier versions are upcast to the declared one.

    Raises `ConflictingVersions`.
    """
    declared = set(facts)
    decoders: dict[str, Callable[[msgspec.Raw], Fact]] = {}
    for fact in declared:
        decoders[fact.wire_type()] = decoder_of(fact).decode
        later_versions = [fact]
        for older in older_versions(fact):
            if older in declared:
                raise ConflictingVersions(
                    f"{older.wire_type()} and {fact.wire_type()} are one event told twice, and an"
                    " event is applied once: the second would be a repetition, in silence. Let all"
                    f" reactions of the service name the same one: {fact.__name__} if they can."
                )
            decoders[older.wire_type()] = _upcast(older, tuple(reversed(later_versions)))
            later_versions.append(older)
    return decoders


def _upcast(
    older: type[Fact], later_versions: tuple[type[Fact], ...]
) -> Callable[[msgspec.Raw], Fact]:
    """Return a decoder of an older version that converts it to the last of `later_versions`."""
    decode = decoder_of(older).decode

    def decode_and_upcast(data: msgspec.Raw) -> Fact:
        fact = decode(data)
        try:
            for version in later_versions:
                fact = version.upcast(fact)
        except Exception as error:
            # As a decode error, so that one record does not stop the records around it.
            raise ValueError(f"{older.__name__} has no later version: {error!r}") from error
        return fact

    return decode_and_upcast


def wire_type_of(record: IncomingRecord) -> str:
    """Return the wire type of a record that was decoded. Raises one of `DECODE_ERRORS`."""
    return _decode_envelope(_to_structured_json(record)).type


def _parse_sequence(text: str) -> int:
    """Parse a sequence number that fits a bigint. Raises ValueError."""
    if not (text.isascii() and text.isdecimal() and len(text) <= MAX_SEQUENCE_DIGITS):
        message = f"sequence: not a number of up to {MAX_SEQUENCE_DIGITS} digits"
        raise ValueError(message)
    return int(text)


@lru_cache(maxsize=4096)
def _parse_tenant(text: str) -> tuple[TenantId, str]:
    """Return a tenant's id and the prefix of its keys. Raises `msgspec.ValidationError`."""
    tenant = msgspec.convert(text, TenantId)
    return tenant, f"{tenant}:"


def _to_structured_json(record: IncomingRecord) -> bytes:
    """Return the event as one JSON document; binary mode is assembled from the headers."""
    value = record.value or b""
    # One character first: searching for six costs as much as decoding half of the envelope.
    if b"\\" in value and b"\\u0000" in value and _NUL.search(value):
        message = "NUL character: PostgreSQL cannot hold it"
        raise ValueError(message)
    attributes: dict[str, object] = {}
    for name, content in record.headers:
        if name.startswith(BINARY_PREFIX):
            attributes[name.removeprefix(BINARY_PREFIX)] = (content or b"").decode()
    if not attributes:
        return value
    return msgspec.json.encode({**attributes, "data": msgspec.Raw(value)})


def _to_delivery(
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
    """Return the W3C trace context in a record's headers; None when it is missing or malformed."""
    for name, value in record.headers:
        if name == "traceparent" and value is not None and _TRACEPARENT.fullmatch(value):
            return value.decode("ascii")
    return None
