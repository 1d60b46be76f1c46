"""Sends records: acknowledged by all in-sync replicas, idempotent, in order per key.

The client receives whole batches, one per partition at a time, each after the one before it is
acknowledged. Records of one key can therefore not overtake each other, whatever fails, and it is
cheaper than one future per record.
"""

import asyncio
import itertools
from collections.abc import Iterable, Iterator, Sequence

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, ProducerClosed
from aiokafka.producer.message_accumulator import BatchBuilder

from shared.kit.bus.kafka.cluster import Cluster
from shared.kit.bus.partitioner import partition_of
from shared.kit.core.bus import MAX_RECORD_BYTES, OutgoingRecord
from shared.kit.core.errors import Invalid, Transient

SEND_TIMEOUT_SECONDS = 30.0
"""For one call of `Sender.send`, which may need several requests."""
REQUEST_TIMEOUT_SECONDS = 10.0
CLOSE_TIMEOUT_SECONDS = 1.0
MAX_PARTITION_BATCH_BYTES = 900_000
"""One partition's batch before compression; a single record may be larger."""
MAX_ROUND_BYTES = 30_000_000
"""All batches in flight: the broker rejects a request of more than 100 MB, however often it is
repeated."""

Round = dict[TopicPartition, BatchBuilder]


class Sender:
    """One producer, started at first use, replaced by a new one after any failure."""

    def __init__(self, cluster: Cluster, client_id: str) -> None:
        self._cluster, self._client_id = cluster, client_id
        self._producer: AIOKafkaProducer | None = None
        self._start_lock = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()

    async def send(self, records: Sequence[OutgoingRecord]) -> None:
        """See `shared.kit.core.bus.Bus.send`."""
        for record in records:
            if record.size > MAX_RECORD_BYTES:
                raise Invalid(topic=record.topic, bytes=record.size)
        if not records:
            return
        producer: AIOKafkaProducer | None = None
        try:
            async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
                producer = await self._get_producer()
                counts = await _count_partitions(producer, {record.topic for record in records})
                for batches in _pack_rounds(producer, records, counts):
                    await _send_round(producer, batches)
        except (KafkaError, OSError, TimeoutError) as error:
            self._abandon(producer)
            raise Transient(internal_reason=f"sending: {type(error).__name__} {error}") from error

    async def _get_producer(self) -> AIOKafkaProducer:
        async with self._start_lock:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    **self._cluster.client_options(),
                    client_id=self._client_id,
                    # Trap: the defaults are acks=1 and no idempotence.
                    acks="all",
                    enable_idempotence=True,
                    # Needs `aiokafka[zstd]`. Not lz4: aiokafka compresses that at its slowest
                    # level, four times as long for two thirds of the effect.
                    compression_type="zstd",
                    max_batch_size=MAX_PARTITION_BATCH_BYTES,
                    request_timeout_ms=int(REQUEST_TIMEOUT_SECONDS * 1000),
                )
                try:
                    await producer.start()
                except (KafkaError, asyncio.CancelledError):
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer

    def _abandon(self, producer: AIOKafkaProducer | None) -> None:
        """Close the failed producer in the background; the next call starts a new one.

        Trap: a failed batch leaves a gap in an idempotent producer's sequence numbers, and the
        broker would reject everything that this producer sends after it.
        """
        if producer is not None and self._producer is producer:
            self._producer = None
            closing = asyncio.create_task(_close_producer(producer))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Close the producer; a call that still waits in `send` gets `Transient`."""
        async with self._start_lock:
            self._abandon(self._producer)
        if self._closing:
            await asyncio.wait(tuple(self._closing))


async def _count_partitions(producer: AIOKafkaProducer, topics: Iterable[str]) -> dict[str, int]:
    cluster = producer.client.cluster
    unknown = [topic for topic in topics if cluster.partitions_for_topic(topic) is None]
    if unknown:
        # Trap: a producer waits for the metadata of a missing topic, and the request may create it.
        existing = (await producer.client.fetch_all_metadata()).topics()
        missing = [topic for topic in unknown if topic not in existing]
        if missing:
            raise Transient(internal_reason=f"sending: no topic {', '.join(sorted(missing))}")
    return {topic: len(await producer.partitions_for(topic)) for topic in topics}


def _pack_rounds(
    producer: AIOKafkaProducer, records: Iterable[OutgoingRecord], counts: dict[str, int]
) -> Iterator[Round]:
    """Pack records into batches, at most one per partition and round, in the given order."""
    batches: Round = {}
    size = 0
    for record in records:
        number = partition_of(record.key, counts[record.topic])
        partition = TopicPartition(record.topic, number)
        size += len(record.value)
        full = size > MAX_ROUND_BYTES and bool(batches)
        if full or not _append(producer, batches, partition, record):
            yield batches
            batches, size = {}, len(record.value)
            _append(producer, batches, partition, record)
    yield batches


def _append(
    producer: AIOKafkaProducer, batches: Round, partition: TopicPartition, record: OutgoingRecord
) -> bool:
    """Append a record to its partition's batch; False when the batch is full."""
    batch = batches.get(partition)
    if batch is None:
        batch = batches[partition] = producer.create_batch()
    metadata = batch.append(
        timestamp=None, key=record.key, value=record.value, headers=list(record.headers)
    )
    return metadata is not None


async def _send_round(producer: AIOKafkaProducer, batches: Round) -> None:
    """Send each partition's batch. Raises the first error after every send has ended."""
    futures: list[asyncio.Future[object]] = []
    try:
        for partition, batch in batches.items():
            # A closed batch takes no further records, so the client sends it without lingering.
            batch.close()
            futures.append(
                await producer.send_batch(batch, partition.topic, partition=partition.partition)
            )
        for result in await asyncio.gather(*futures, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result
    finally:
        _discard(futures)


async def _close_producer(producer: AIOKafkaProducer) -> None:
    """Drop the buffered batches and disconnect.

    Trap: `stop` alone sends them first, and an idempotent producer retries that without limit.
    There is no public way to abort, and in any other order its tasks hang or fail loudly.
    """
    sending = producer._sender.sender_task  # noqa: SLF001
    sending.cancel()
    await producer.client.close()
    await asyncio.wait((sending,), timeout=CLOSE_TIMEOUT_SECONDS)
    # One of its tasks may still wait for a response of the closed client.
    sending.cancel()
    accumulator = producer._message_accumulator  # noqa: SLF001
    pending = accumulator._pending_batches  # noqa: SLF001
    # A batch removes itself from this set when it fails, so adding all of them is safe.
    pending.update(itertools.chain.from_iterable(accumulator._batches.values()))  # noqa: SLF001
    batches = tuple(pending)
    accumulator.fail_all(ProducerClosed())
    for batch in batches:
        _discard((batch.future, batch._drain_waiter))  # noqa: SLF001
    await producer.stop()


def _discard(futures: Iterable[asyncio.Future[object]]) -> None:
    """Read or cancel futures, so that asyncio does not log exceptions that were never retrieved."""
    for future in futures:
        if future.done() and not future.cancelled():
            future.exception()
        else:
            future.cancel()
