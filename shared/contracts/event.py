"""Base of all facts, and the envelope they travel in (CloudEvents 1.0, structured mode)."""

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
"""A moment with its zone; written in UTC."""


class DataSensitivity(StrEnum):
    """How widely a fact's data may be shown."""

    PUBLIC = "public"
    INTERNAL = "internal"
    PERSONAL = "personal"


class Origin(StrEnum):
    """Whether it happened here, or is history brought from elsewhere.

    Only what is live notifies, acts or alerts. A fact caused by another inherits its origin.
    """

    LIVE = "live"
    IMPORT = "import"


class Sealed(Struct, Generic[T], frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Personal data: in the clear, or as a JWE together with the id of the key that opens it."""

    clear: T | None = None
    jwe: str | None = None
    key_id: str | None = None


class Person(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Who, and in which structure and role as it was then: true even after people move."""

    member_id: MemberId
    structure_id: StructureId | None = None
    role: str | None = None


class Fact(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Something that happened, said in the past tense; the docstring of each class is its meaning.

    Class constants hold what the envelope and the topics need. `KEY` and `SUBJECT` are paths into
    the fact: what is in order together, and the aggregate that changed.

    A second version is a class of its own that names the one before it as `PREVIOUS`. While it
    has `DUAL_PUBLISH`, whatever is recorded is told as `previous()` too, under the same event id;
    what was told before there were two is read as `following(old)`. See docs/versions.md.
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
        """Return the same as the version before tells it, for who has not moved."""
        raise NotImplementedError(type(self).__name__)

    @classmethod
    def upcast(cls, old: Any) -> Self:  # Any: each version follows one of its own
        """Return the same from the version before, for who has moved. Must not fail."""
        raise NotImplementedError(cls.__name__)

    @classmethod
    def wire_type(cls) -> str:
        """Return the CloudEvents `type`: `community.post.published.v1`."""
        return f"{cls.WIRE}.v{cls.VERSION}"

    @classmethod
    def example(cls) -> Self:
        """Return a true-to-life example; the documents show it and every build decodes it."""
        raise NotImplementedError(cls.__name__)


def older_versions(fact: type[Fact]) -> Iterator[type[Fact]]:
    """Name the versions before this one, the newest first."""
    older = fact.PREVIOUS
    while older is not None:
        yield older
        older = older.PREVIOUS


def value_at(fact: Fact, path: str) -> UUID:
    """Follow a dotted path of attributes: `ref.root_id`."""
    value: Any = fact
    for name in path.split("."):
        value = getattr(value, name)
    found: UUID = value
    return found


def partition_key(tenant: TenantId, fact: Fact) -> str:
    """Return the key whose facts stay in order; it starts with the tenant."""
    return f"{tenant}:{value_at(fact, fact.KEY)}"


class Envelope(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A CloudEvents 1.0 event as it stands in a record's value.

    `time` is when it happened, `recordedtime` when it was written down. `sequence` counts per
    topic and `partitionkey` without gaps, ten digits; a fact told in two versions takes two numbers
    under one `id`. `causeid` names the event that led to this
    one, `correlationid` the request or event that the whole chain began with.
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
    """Write an envelope as JSON, its required CloudEvents attributes always present."""
    fields = msgspec.structs.asdict(envelope)
    return _encoder.encode({name: value for name, value in fields.items() if value is not None})


def encode_data(fact: Fact) -> Raw:
    """Write a fact's data as JSON."""
    return Raw(_encoder.encode(fact))


def decode_envelope(value: bytes) -> Envelope:
    """Read a record's value. Raises `msgspec.DecodeError`, `UnicodeDecodeError`, `RecursionError`.

    Binary mode (attributes in headers) is put together into the same JSON by the reader.
    """
    return _envelope_decoder.decode(value)
