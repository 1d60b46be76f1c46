"""Sending: acknowledged by all in-sync replicas, idempotent, in order per key.

Whole batches are handed to the client, one per partition at a time, each waiting for the one
before it: records of one key can then not overtake each other, whatever fails, and it is cheaper
than a future per record.
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

# Seconds: for one call of `send`, for one request of it, and for a
# producer that is given up.
SEND_TIMEOUT_SECONDS = 30.0
REQUEST_TIMEOUT_SECONDS = 10.0
CLOSE_TIMEOUT_SECONDS = 1.0
# Bytes: of one partition's batch before compression (a single record may be larger), and of all
# batches that are under way; a request beyond the broker's 100 MB would be refused for ever.
MAX_PARTITION_BATCH_BYTES = 900_000
MAX_ROUND_BYTES = 30_000_000

Round = dict[TopicPartition, BatchBuilder]


class Sender:
    """One producer, started at first use, replaced by a new one after any failure."""

    def __init__(self, cluster: Cluster, client_id: str) -> None:
        self._cluster, self._client_id = cluster, client_id
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self._endings: set[asyncio.Task[None]] = set()

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
                producer = await self._started()
                counts = await _counts(producer, {record.topic for record in records})
                for batches in _rounds(producer, records, counts):
                    await _deliver(producer, batches)
        except (KafkaError, OSError, TimeoutError) as error:
            self._abandon(producer)
            raise Transient(reason=f"sending: {type(error).__name__} {error}") from error

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:
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
        """Trap: a batch that failed leaves a gap in an idempotent producer's numbering.

        The broker would refuse everything that this producer sends after it.
        """
        if producer is not None and self._producer is producer:
            self._producer = None
            ending = asyncio.create_task(_end(producer))
            self._endings.add(ending)
            ending.add_done_callback(self._endings.discard)

    async def close(self) -> None:
        """End; who still waits in `send` gets `Transient`."""
        async with self._starting:
            self._abandon(self._producer)
        if self._endings:
            await asyncio.wait(tuple(self._endings))


async def _counts(producer: AIOKafkaProducer, topics: Iterable[str]) -> dict[str, int]:
    """Count the partitions of these topics."""
    cluster = producer.client.cluster
    unknown = [topic for topic in topics if cluster.partitions_for_topic(topic) is None]
    if unknown:
        # Trap: a producer asked for a missing topic waits for it, and may create it by asking.
        there = (await producer.client.fetch_all_metadata()).topics()
        missing = [topic for topic in unknown if topic not in there]
        if missing:
            raise Transient(reason=f"sending: no topic {', '.join(sorted(missing))}")
    return {topic: len(await producer.partitions_for(topic)) for topic in topics}


def _rounds(
    producer: AIOKafkaProducer, records: Iterable[OutgoingRecord], counts: dict[str, int]
) -> Iterator[Round]:
    """Pack records into batches, at most one per partition and round, in the order given."""
    batches: Round = {}
    weight = 0
    for record in records:
        number = partition_of(record.key, counts[record.topic])
        place = TopicPartition(record.topic, number)
        weight += len(record.value)
        full = weight > MAX_ROUND_BYTES and bool(batches)
        if full or not _append(producer, batches, place, record):
            yield batches
            batches, weight = {}, len(record.value)
            _append(producer, batches, place, record)
    yield batches


def _append(
    producer: AIOKafkaProducer, batches: Round, place: TopicPartition, record: OutgoingRecord
) -> bool:
    batch = batches.get(place)
    if batch is None:
        batch = batches[place] = producer.create_batch()
    done = batch.append(
        timestamp=None, key=record.key, value=record.value, headers=list(record.headers)
    )
    return done is not None


async def _deliver(producer: AIOKafkaProducer, batches: Round) -> None:
    waits: list[asyncio.Future[object]] = []
    try:
        for place, batch in batches.items():
            # Closed: nobody adds to it, and it does not wait for more.
            batch.close()
            waits.append(await producer.send_batch(batch, place.topic, partition=place.partition))
        for answer in await asyncio.gather(*waits, return_exceptions=True):
            if isinstance(answer, BaseException):
                raise answer
    finally:
        _forget(waits)


async def _end(producer: AIOKafkaProducer) -> None:
    """Drop what is buffered and disconnect.

    Trap: `stop` alone sends it first, and an idempotent producer tries that for ever. There is no
    public way to give up, and in any other order its tasks hang or fail loudly.
    """
    sending = producer._sender.sender_task  # noqa: SLF001
    sending.cancel()
    await producer.client.close()
    await asyncio.wait((sending,), timeout=CLOSE_TIMEOUT_SECONDS)
    # A task of it may still wait for news from the client that was closed.
    sending.cancel()
    buffered = producer._message_accumulator  # noqa: SLF001
    pending = buffered._pending_batches  # noqa: SLF001
    # Each batch takes itself out when it fails, whether it is in or not.
    pending.update(itertools.chain.from_iterable(buffered._batches.values()))  # noqa: SLF001
    batches = tuple(pending)
    buffered.fail_all(ProducerClosed())
    for batch in batches:
        _forget((batch.future, batch._drain_waiter))  # noqa: SLF001
    await producer.stop()


def _forget(futures: Iterable[asyncio.Future[object]]) -> None:
    """Let nobody complain later that these were never asked."""
    for future in futures:
        if future.done() and not future.cancelled():
            future.exception()
        else:
            future.cancel()
