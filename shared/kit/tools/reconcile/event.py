"""One record of the log, as the checker reads it."""

import re
from datetime import datetime
from hashlib import blake2b
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta, Raw, Struct

from shared.kit.core.bus import Incoming

Instant = Annotated[datetime, Meta(tz=True)]
BAD = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError)
LONGEST_KEY = 200
# The escape itself, not a backslash that somebody wrote followed by these letters.
NUL = re.compile(rb"\x00|(?<!\\)(?:\\\\)*\\u0000")
PREFIX = "ce_"


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


class Crooked(Exception):
    """What stands in the record is no event that anybody can read; its text says why."""


def read(record: Incoming) -> Event:
    """Read one record, structured or binary. Raises `Crooked`."""
    value = record.value or b""
    if (b"u0000" in value or b"\x00" in value) and NUL.search(value):
        raise Crooked("a NUL character")
    try:
        named = {
            name[len(PREFIX) :]: (content or b"").decode()
            for name, content in record.headers
            if name.startswith(PREFIX)
        }
        if named:
            value = msgspec.json.encode(named | {"data": Raw(value)})
        event = _decoder.decode(value)
    except BAD as error:
        raise Crooked(f"{type(error).__name__}: {error}") from error
    # A dead letter is named after the place of its record, whose tenant nobody may know.
    mine = event.partitionkey.startswith(f"{event.tenant}:")
    if not mine and not record.partition.topic.startswith("dead."):
        raise Crooked("its key belongs to another tenant")
    if len(event.partitionkey) > LONGEST_KEY:
        raise Crooked("its key is too long")
    return event


def digest(value: bytes | None) -> int:
    """Give 64 bits that stand for a record's bytes, as SQLite holds them."""
    return int.from_bytes(blake2b(value or b"", digest_size=8).digest(), "big", signed=True)
