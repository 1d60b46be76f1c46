"""A raw Kafka client: writes any record, as any program with access to the broker can."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from shared.contracts.catalogue import PUBLISHERS
from shared.contracts.community import ContentKind, ContentRef, PostPublished
from shared.contracts.event import Envelope, encode, encode_data, partition_key
from shared.contracts.ids import ContentId, EventId, SpaceId, TenantId
from shared.kit.bus.kafka import Cluster
from tests.chaos.finished_run import FOREIGN_SOURCE

TOPICS = sorted({fact.TOPIC for facts in PUBLISHERS.values() for fact in facts})
MAX_REQUEST_BYTES = 12_000_000
SEND_TIMEOUT_SECONDS = 90.0
"""Seconds for one sending: the broker may be down for the half of it."""
Headers = tuple[tuple[str, bytes], ...]
RecordPosition = tuple[str, int, int]


@dataclass(frozen=True)
class Record:
    """A record to write."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass(frozen=True)
class Conversation:
    """A post that others answer, in the space where all of them are."""

    root: ContentId
    space: SpaceId


@dataclass(frozen=True)
class RawKafka:
    """A producer and reader without the platform's code."""

    kafka: Cluster

    async def send(self, records: Sequence[Record]) -> list[RecordPosition]:
        """Send records in this order and return their positions once all are acknowledged."""
        producer = AIOKafkaProducer(
            **self.kafka.client_options(),
            acks="all",
            enable_idempotence=True,
            max_request_size=MAX_REQUEST_BYTES,
        )
        async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
            await _start_with_retries(producer)
            try:
                acknowledgements_pending = [
                    await producer.send(r.topic, r.value, key=r.key, headers=list(r.headers))
                    for r in records
                ]
                acknowledgements = await asyncio.gather(*acknowledgements_pending)
            finally:
                await producer.stop()
        return [
            (metadata.topic, metadata.partition, metadata.offset) for metadata in acknowledgements
        ]

    async def read_slice(self, rng: Random, max_records: int) -> list[Record]:
        """Read a slice of the log, from a random place of a random topic."""
        reader = AIOKafkaConsumer(
            **self.kafka.client_options(), enable_auto_commit=False, group_id=None
        )
        async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
            await _start_with_retries(reader)
            try:
                partition = await _seek_to_random_offset(reader, rng)
                if partition is None:
                    return []
                batches = await reader.getmany(partition, timeout_ms=2000, max_records=max_records)
            finally:
                await reader.stop()
        return [
            Record(r.topic, r.key, r.value, tuple(r.headers)) for r in batches.get(partition, ())
        ]


async def _seek_to_random_offset(reader: AIOKafkaConsumer, rng: Random) -> TopicPartition | None:
    """Seek to a random offset of a random partition; None when all are empty."""
    partitions = [TopicPartition(topic, number) for topic in TOPICS for number in range(8)]
    ends = await reader.end_offsets(partitions)
    written = [partition for partition in partitions if ends[partition] > 0]
    if not written:
        return None
    partition = rng.choice(written)
    reader.assign([partition])
    reader.seek(partition, rng.randrange(ends[partition]))
    return partition


async def _start_with_retries(client: AIOKafkaProducer | AIOKafkaConsumer) -> None:
    while True:
        try:
            await client.start()
            return
        except (KafkaError, OSError):
            await asyncio.sleep(0.3)


def uuid7_at(moment: datetime, rng: Random) -> UUID:
    """Make an id as it would have been made then."""
    milliseconds = int(moment.timestamp() * 1000)
    return UUID(
        int=milliseconds << 80 | 7 << 76 | rng.getrandbits(12) << 64 | 2 << 62 | rng.getrandbits(62)
    )


def make_post(
    rng: Random,
    tenant: TenantId,
    offset: timedelta,
    *,
    version: int = 1,
    conversation: Conversation | None = None,
    sequence: int = 1,
) -> Record:
    """Build a post in a space that does not exist, `offset` away from now.

    `of` a conversation it begins that, or answers in it: the same key, of which it is the
    `sequence`th.
    """
    moment = datetime.now(UTC) + offset
    example, content = PostPublished.example(), ContentId(uuid7_at(moment, rng))
    kind = ContentKind.ANSWER if conversation and sequence > 1 else ContentKind.DISCUSSION
    own = conversation.root if conversation and sequence == 1 else content
    fact = PostPublished(
        ref=ContentRef(kind=kind, id=own, root_id=conversation.root if conversation else content),
        space_id=conversation.space if conversation else SpaceId(uuid7_at(moment, rng)),
        structure_id=example.structure_id,
        content=example.content,
    )
    key = partition_key(tenant, fact)
    envelope = Envelope(
        id=EventId(uuid7_at(moment, rng)),
        type=f"{PostPublished.WIRE}.v{version}",
        source=FOREIGN_SOURCE,
        subject=str(own),
        time=moment,
        tenant=tenant,
        partitionkey=key,
        sequence=f"{sequence:010d}",
        recordedtime=moment,
        correlationid="étrangère",
        data=encode_data(fact),
    )
    return Record(PostPublished.TOPIC, key.encode(), encode(envelope))


def make_conversations(rng: Random, tenant: TenantId, number: int, posts_each: int) -> list[Record]:
    """Build conversations of `posts_each` posts, interleaved, in order within each."""
    now, moment = timedelta(), datetime.now(UTC)
    begun = [
        Conversation(ContentId(uuid7_at(moment, rng)), SpaceId(uuid7_at(moment, rng)))
        for _ in range(number)
    ]
    return [
        make_post(rng, tenant, now, conversation=conversation, sequence=nth)
        for nth in range(1, posts_each + 1)
        for conversation in begun
    ]
