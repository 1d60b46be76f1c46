"""Parser of one record of the log, independent of the kit's."""

import re
from datetime import datetime
from hashlib import blake2b
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta, Raw, Struct

from shared.kit.core.bus import IncomingRecord

Instant = Annotated[datetime, Meta(tz=True)]
DECODE_ERRORS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError)
MAX_KEY_CHARACTERS = 200
# The JSON escape of NUL, not an escaped backslash that is followed by the letters u0000.
NUL = re.compile(rb"\x00|(?<!\\)(?:\\\\)*\\u0000")
HEADER_PREFIX = "ce_"


class Event(Struct, frozen=True, kw_only=True):
    """The envelope with every attribute that consumers may rely on."""

    id: UUID
    type: str
    source: str
    subject: str
    time: Instant
    tenant: UUID
    partitionkey: str
    sequence: str
    recordedtime: Instant
    correlationid: str
    data: Raw
    origin: Literal["live", "import"] = "live"
    actor: str | None = None
    causeid: str | None = None
    dataschema: str | None = None
    specversion: str = "1.0"
    datacontenttype: str = "application/json"


_decoder = msgspec.json.Decoder(Event)


class MalformedRecord(Exception):
    """The record is not a valid event; the text says why."""


def read_event(record: IncomingRecord) -> Event:
    """Parse a record in structured or binary mode. Raises `MalformedRecord`."""
    value = record.value or b""
    if (b"u0000" in value or b"\x00" in value) and NUL.search(value):
        raise MalformedRecord("a NUL character")
    try:
        attributes = {
            name[len(HEADER_PREFIX) :]: (content or b"").decode()
            for name, content in record.headers
            if name.startswith(HEADER_PREFIX)
        }
        if attributes:
            value = msgspec.json.encode(attributes | {"data": Raw(value)})
        event = _decoder.decode(value)
    except DECODE_ERRORS as error:
        raise MalformedRecord(f"{type(error).__name__}: {error}") from error
    # The key of a dead letter may be its record's offset: the tenant can be unknown.
    is_own_tenant = event.partitionkey.startswith(f"{event.tenant}:")
    if not is_own_tenant and not record.partition.topic.startswith("dead."):
        raise MalformedRecord("its key belongs to another tenant")
    if len(event.partitionkey) > MAX_KEY_CHARACTERS:
        raise MalformedRecord("its key is too long")
    return event


def digest(value: bytes | None) -> int:
    """Return a 64-bit hash of a record's bytes, signed, as SQLite stores integers."""
    return int.from_bytes(blake2b(value or b"", digest_size=8).digest(), "big", signed=True)
