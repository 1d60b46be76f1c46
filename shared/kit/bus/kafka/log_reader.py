"""Reads the log outside of any consumer group: topics, log bounds and slices of records."""

import asyncio
import math
from collections.abc import Sequence
from datetime import datetime

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from shared.kit.bus.kafka.cluster import Cluster
from shared.kit.bus.kafka.conversions import (
    raise_as_transient,
    to_incoming_record,
    to_partitions,
    to_topic_partition,
)
from shared.kit.core.bus import IncomingRecord, LogBounds, Partition
from shared.kit.core.errors import NotFound, Transient

REQUEST_TIMEOUT_SECONDS = 20.0
READY_POLL_SECONDS = 0.05
FETCH_MAX_WAIT_MS = 20
"""Short, because a request waits for the fetch before it on the same connection."""


class LogReader:
    """One consumer without a group, connected at first use; runs one request at a time."""

    def __init__(self, cluster: Cluster, client_id: str) -> None:
        self._cluster, self._client_id = cluster, client_id
        self._consumer: AIOKafkaConsumer | None = None
        self._lock = asyncio.Lock()

    async def count_partitions(self) -> dict[str, int]:
        """Return the number of partitions of every existing topic, by topic."""
        async with self._lock:
            with raise_as_transient("asking for topics"):
                async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
                    client = (await self._connect())._client  # noqa: SLF001  see below
                    # Trap: a metadata request for one topic may create it. A request for all
                    # topics never does, but aiokafka's public method for it leaves out the
                    # number of partitions.
                    cluster = await client.fetch_all_metadata()
        return {name: len(cluster.partitions_for_topic(name) or ()) for name in cluster.topics()}

    async def list_partitions(self, topics: Sequence[str]) -> list[TopicPartition]:
        """List the partitions of these topics. Raises `NotFound` for a missing topic."""
        counts = await self.count_partitions()
        for topic in topics:
            if not counts.get(topic):
                raise NotFound(topic=topic)
        return [
            TopicPartition(topic, number) for topic in topics for number in range(counts[topic])
        ]

    async def wait_until_ready(self, topics: Sequence[str]) -> None:
        """Wait until every partition of new topics has a leader that answers."""
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
                while True:
                    try:
                        await self.get_log_bounds(topics)
                        return
                    except (NotFound, Transient):
                        await asyncio.sleep(READY_POLL_SECONDS)
        except TimeoutError as error:
            raise Transient(internal_reason=f"topics not ready: {', '.join(topics)}") from error

    async def get_log_bounds(
        self, topics: Sequence[str], since: datetime | None = None
    ) -> LogBounds:
        """See `Bus.get_log_bounds`."""
        partitions = await self.list_partitions(topics)
        async with self._lock:
            with raise_as_transient("asking for offsets"):
                async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
                    consumer = await self._connect()
                    begin = await consumer.beginning_offsets(partitions)
                    end = await consumer.end_offsets(partitions)
                    if since is not None:
                        since_ms = math.ceil(since.timestamp() * 1000)
                        first_since = await consumer.offsets_for_times(
                            dict.fromkeys(partitions, since_ms)
                        )
                        begin = {
                            p: first_since[p].offset if first_since[p] else end[p]
                            for p in partitions
                        }
        # Convert each partition once; the result keeps the order of `topics`.
        converted = dict(zip(sorted(partitions), to_partitions(partitions), strict=True))
        return LogBounds(
            {converted[partition]: begin[partition] for partition in partitions},
            {converted[partition]: end[partition] for partition in partitions},
        )

    async def fetch(
        self, partition: Partition, begin: int, limit: int
    ) -> tuple[IncomingRecord, ...]:
        """See `Bus.fetch`."""
        bounds = await self.get_log_bounds([partition.topic])
        if partition not in bounds.end:
            raise NotFound(topic=partition.topic, partition=partition.number)
        start, end = max(begin, bounds.begin[partition]), bounds.end[partition]
        if start >= end or limit < 1:
            return ()
        async with self._lock:
            with raise_as_transient("fetching"):
                async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
                    topic_partition = to_topic_partition(partition)
                    return await self._fetch_slice(topic_partition, start, min(end, start + limit))

    async def _fetch_slice(
        self, partition: TopicPartition, start: int, end: int
    ) -> tuple[IncomingRecord, ...]:
        consumer = await self._connect()
        consumer.assign([partition])
        records: list[IncomingRecord] = []
        try:
            consumer.seek(partition, start)
            # Compare positions, not counts: offsets may have gaps (markers of transactions).
            while await consumer.position(partition) < end:
                fetched = await consumer.getmany(partition, timeout_ms=200, max_records=end - start)
                records += [
                    to_incoming_record(record)
                    for record in fetched.get(partition, ())
                    if record.offset < end
                ]
        finally:
            # Otherwise the consumer continues to fetch in the background.
            consumer.unsubscribe()
        return tuple(records)

    async def _connect(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            consumer = AIOKafkaConsumer(
                **self._cluster.client_options(),
                client_id=self._client_id,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
            )
            try:
                await consumer.start()
            except (KafkaError, asyncio.CancelledError):
                await consumer.stop()
                raise
            self._consumer = consumer
        return self._consumer

    async def close(self) -> None:
        """Disconnect."""
        async with self._lock:
            consumer, self._consumer = self._consumer, None
            if consumer is not None:
                await consumer.stop()
