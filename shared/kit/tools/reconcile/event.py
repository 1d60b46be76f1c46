"""One record of the log, as the checker reads it."""

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
# The escape itself, not a backslash that somebody wrote followed by these letters.
NUL = re.compile(rb"\x00|(?<!\\)(?:\\\\)*\\u0000")
HEADER_PREFIX = "ce_"


class Event(Struct, frozen=True, kw_only=True):
    """The envelope, every attribute that a reader may rely on."""

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
    """What stands in the record is no event that anybody can read; its text says why."""


def read_event(record: IncomingRecord) -> Event:
    """Read one record, structured or binary. Raises `MalformedRecord`."""
    value = record.value or b""
    if (b"u0000" in value or b"\x00" in value) and NUL.search(value):
        raise MalformedRecord("a NUL character")
    try:
        named = {
            name[len(HEADER_PREFIX) :]: (content or b"").decode()
            for name, content in record.headers
            if name.startswith(HEADER_PREFIX)
        }
        if named:
            value = msgspec.json.encode(named | {"data": Raw(value)})
        event = _decoder.decode(value)
    except DECODE_ERRORS as error:
        raise MalformedRecord(f"{type(error).__name__}: {error}") from error
    # A dead letter is named after the place of its record, whose tenant nobody may know.
    mine = event.partitionkey.startswith(f"{event.tenant}:")
    if not mine and not record.partition.topic.startswith("dead."):
        raise MalformedRecord("its key belongs to another tenant")
    if len(event.partitionkey) > MAX_KEY_CHARACTERS:
        raise MalformedRecord("its key is too long")
    return event


def digest(value: bytes | None) -> int:
    """Return 64 bits that stand for a record's bytes, as SQLite holds them."""
    return int.from_bytes(blake2b(value or b"", digest_size=8).digest(), "big", signed=True)
