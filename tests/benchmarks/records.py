"""The records that all contenders read: envelopes as the outbox writes them."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import msgspec
from uuid_utils.compat import uuid7

from shared.contracts.community import ContentRef, PostPublished, SpaceOpened
from shared.contracts.event import (
    CONTENT_TYPE,
    Envelope,
    Person,
    encode,
    encode_data,
    partition_key,
)
from shared.contracts.ids import ContentId, EventId, MemberId, SpaceId, TenantId
from shared.kit.core.bus import OutgoingRecord
from tests.benchmarks.population import SPACES, TENANTS, members

MEMBERS = 500
"""In each tenant."""


def posts(number: int, *, traced: float, seed: int = 1) -> list[OutgoingRecord]:
    """Create posts, each the first of its conversation; the share `traced` has a sampled trace."""
    drawn = random.Random(seed)
    places = [(TenantId(uuid7()), _ids(SPACES), _ids(MEMBERS)) for _ in range(TENANTS)]
    return [_record(drawn, drawn.choice(places), traced) for _ in range(number)]


def _ids(number: int) -> list[UUID]:
    return [uuid7() for _ in range(number)]


def _record(
    drawn: random.Random, population: tuple[TenantId, list[UUID], list[UUID]], traced: float
) -> OutgoingRecord:
    tenant, spaces, members = population
    example = PostPublished.example()
    content, member = ContentId(uuid7()), MemberId(drawn.choice(members))
    fact = msgspec.structs.replace(
        example,
        ref=ContentRef(kind=example.ref.kind, id=content, root_id=content),
        space_id=SpaceId(drawn.choice(spaces)),
        author=Person(member_id=member, structure_id=example.structure_id, role="pupil"),
    )
    now = datetime.now(UTC)
    envelope = Envelope(
        id=EventId(uuid7()),
        type=fact.wire_type(),
        source="/preau/community",
        subject=str(content),
        time=now,
        tenant=tenant,
        partitionkey=partition_key(tenant, fact),
        sequence="0000000001",
        recordedtime=now,
        correlationid=str(uuid7()),
        data=encode_data(fact),
        actor=str(member),
        dataschema=f"/schemas/{fact.wire_type()}",
    )
    headers = (("content-type", CONTENT_TYPE.encode()), ("traceparent", _context(drawn, traced)))
    return OutgoingRecord(fact.TOPIC, envelope.partitionkey.encode(), encode(envelope), headers)


def _context(drawn: random.Random, traced: float) -> bytes:
    flags = "01" if drawn.random() < traced else "00"
    return f"00-{drawn.getrandbits(128):032x}-{drawn.getrandbits(64):016x}-{flags}".encode()


def spaces_opened() -> list[OutgoingRecord]:
    """Yield the events that opened the population's spaces, as community publishes them."""
    return [_envelope_of(fact, tenant) for tenant, fact in _spaces()]


def _spaces() -> Iterator[tuple[TenantId, SpaceOpened]]:
    for space in {(member.tenant, member.space) for member in members(TENANTS * SPACES)}:
        example = SpaceOpened.example()
        yield (
            TenantId(space[0]),
            msgspec.structs.replace(example, space_id=SpaceId(space[1]), path=()),
        )


def _envelope_of(fact: SpaceOpened, tenant: TenantId) -> OutgoingRecord:
    now = datetime.now(UTC)
    envelope = Envelope(
        id=EventId(uuid7()),
        type=fact.wire_type(),
        source="/preau/community",
        subject=str(fact.space_id),
        time=now,
        tenant=tenant,
        partitionkey=partition_key(tenant, fact),
        sequence="0000000001",
        recordedtime=now,
        correlationid="bench",
        data=encode_data(fact),
    )
    headers = (("content-type", CONTENT_TYPE.encode()),)
    return OutgoingRecord(fact.TOPIC, envelope.partitionkey.encode(), encode(envelope), headers)


def addressed(records: list[OutgoingRecord], topic: str) -> Iterator[OutgoingRecord]:
    """Address the same records to another topic."""
    for record in records:
        yield OutgoingRecord(topic, record.key, record.value, record.headers)
