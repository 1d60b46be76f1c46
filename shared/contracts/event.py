"""Base class of all facts, and the envelope of an event (CloudEvents 1.0, structured mode)."""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Generic, Self, TypeVar
from uuid import UUID

import msgspec
from msgspec import Meta, Raw, Struct

from shared.contracts.ids import EventId, MemberId, StructureId, TenantId

T = TypeVar("T")
Instant = Annotated[datetime, Meta(tz=True)]
"""A time with its zone; encoded in UTC."""


class DataSensitivity(StrEnum):
    """Sensitivity of a fact's data: readable by everyone, by staff, or only as personal data."""

    PUBLIC = "public"
    INTERNAL = "internal"
    PERSONAL = "personal"


class Origin(StrEnum):
    """Whether the event happened on this platform, or is history that was imported.

    Only live events notify people, trigger decisions or raise alerts. An event that is caused by
    another inherits its origin.
    """

    LIVE = "live"
    IMPORT = "import"


class Sealed(Struct, Generic[T], frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Personal data: in clear text, or as a JWE with the id of the key that decrypts it."""

    clear: T | None = None
    jwe: str | None = None
    key_id: str | None = None


class Person(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A member, with structure and role at that time; both stay true after the member moves."""

    member_id: MemberId
    structure_id: StructureId | None = None
    role: str | None = None


class Fact(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Base of all facts: something that happened, named in the past tense.

    The docstring of a class is the fact's meaning. Class constants hold what envelope and topics
    need. `KEY` and `SUBJECT` are attribute paths in the fact: the key within which events are in
    order, and the aggregate that changed.

    A second version is a class of its own, with the version before it as `PREVIOUS`. While it has
    `DUAL_PUBLISH`, each event is also published as `downcast()`, under the same event id. Events
    from before the second version are read as `upcast(old)`. See docs/versions.md.
    """

    WIRE: ClassVar[str]
    VERSION: ClassVar[int] = 1
    TOPIC: ClassVar[str]
    KEY: ClassVar[str]
    SUBJECT: ClassVar[str]
    DATA: ClassVar[DataSensitivity] = DataSensitivity.INTERNAL
    PREVIOUS: ClassVar["type[Fact] | None"] = None
    DUAL_PUBLISH: ClassVar[bool] = False

    def downcast(self) -> "Fact":
        """Convert to the version before, for consumers that have not changed to this one."""
        raise NotImplementedError(type(self).__name__)

    @classmethod
    def upcast(cls, old: Any) -> Self:  # Any: each version has another one before it
        """Convert from the version before, for consumers of this version. Must not fail."""
        raise NotImplementedError(cls.__name__)

    @classmethod
    def wire_type(cls) -> str:
        """Return the CloudEvents `type`, such as `community.post.published.v1`."""
        return f"{cls.WIRE}.v{cls.VERSION}"

    @classmethod
    def example(cls) -> Self:
        """Return a realistic example; the documents show it and every build decodes it."""
        raise NotImplementedError(cls.__name__)


def older_versions(fact: type[Fact]) -> Iterator[type[Fact]]:
    """Yield the versions before this one, newest first."""
    older = fact.PREVIOUS
    while older is not None:
        yield older
        older = older.PREVIOUS


def value_at(fact: Fact, path: str) -> UUID:
    """Return the id at a dotted attribute path, such as `ref.root_id`."""
    value: Any = fact
    for name in path.split("."):
        value = getattr(value, name)
    id_value: UUID = value
    return id_value


def partition_key(tenant: TenantId, fact: Fact) -> str:
    """Return the key within which events are in order: tenant id and the fact's key."""
    return f"{tenant}:{value_at(fact, fact.KEY)}"


class Envelope(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A CloudEvents 1.0 event, as stored in a record's value.

    `time` is when it happened, `recordedtime` when it was stored. `sequence` counts per topic and
    `partitionkey` without gaps, in ten digits; a fact that is published in two versions takes two
    numbers under one `id`. `causeid` is the id of the event that caused this one, `correlationid`
    the id of the request or event at the start of the chain.
    """

    id: EventId
    type: str
    source: str
    subject: str
    time: Instant
    tenant: TenantId
    partitionkey: str
    sequence: str
    recordedtime: Instant
    correlationid: str
    data: Raw
    origin: Origin = Origin.LIVE
    actor: str | None = None
    causeid: str | None = None
    dataschema: str | None = None
    specversion: str = "1.0"
    datacontenttype: str = "application/json"


CONTENT_TYPE = "application/cloudevents+json; charset=UTF-8"

_encoder = msgspec.json.Encoder()
_envelope_decoder = msgspec.json.Decoder(Envelope)


def encode(envelope: Envelope) -> bytes:
    """Encode an envelope as JSON; CloudEvents' required attributes are always present."""
    fields = msgspec.structs.asdict(envelope)
    return _encoder.encode({name: value for name, value in fields.items() if value is not None})


def encode_data(fact: Fact) -> Raw:
    """Encode a fact's data as JSON."""
    return Raw(_encoder.encode(fact))


def decode_envelope(value: bytes) -> Envelope:
    """Decode a record's value. Raises `msgspec.DecodeError`, UnicodeDecodeError, RecursionError.

    The consumer first converts binary mode (attributes in headers) to the same JSON.
    """
    return _envelope_decoder.decode(value)
