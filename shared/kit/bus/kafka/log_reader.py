"""Looking at the log from outside of any group: which topics, how long, what is written there."""

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

# Seconds: for one question, and between two tries when a topic is about to appear.
REQUEST_TIMEOUT_SECONDS = 20.0
AGAIN = 0.05
# A question waits behind the fetch before it on the same connection, so that one must be short.
FETCH_MS = 20


class LogReader:
    """One consumer without a group, connected at first use, asked one thing at a time."""

    def __init__(self, cluster: Cluster, client_id: str) -> None:
        self._cluster, self._client_id = cluster, client_id
        self._consumer: AIOKafkaConsumer | None = None
        self._turn = asyncio.Lock()

    async def count_partitions(self) -> dict[str, int]:
        """Count the partitions of every topic there is."""
        async with self._turn:
            with raise_as_transient("asking for topics"):
                async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
                    client = (await self._connected())._client  # noqa: SLF001  see below
                    # Trap: asking for one topic by its name may create it. All of them never does,
                    # but aiokafka's public way to ask for all does not count their partitions.
                    cluster = await client.fetch_all_metadata()
        return {name: len(cluster.partitions_for_topic(name) or ()) for name in cluster.topics()}

    async def list_partitions(self, topics: Sequence[str]) -> list[TopicPartition]:
        """Name the partitions of these topics; a missing topic is `NotFound`."""
        known = await self.count_partitions()
        for topic in topics:
            if not known.get(topic):
                raise NotFound(topic=topic)
        return [TopicPartition(topic, number) for topic in topics for number in range(known[topic])]

    async def wait_until_ready(self, topics: Sequence[str]) -> None:
        """Wait until every partition of new topics has a leader that answers."""
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
                while True:
                    try:
                        await self.get_log_bounds(topics)
                        return
                    except (NotFound, Transient):
                        await asyncio.sleep(AGAIN)
        except TimeoutError as error:
            raise Transient(reason=f"topics not ready: {', '.join(topics)}") from error

    async def get_log_bounds(
        self, topics: Sequence[str], since: datetime | None = None
    ) -> LogBounds:
        """See the port."""
        places = await self.list_partitions(topics)
        async with self._turn:
            with raise_as_transient("asking for offsets"):
                async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
                    consumer = await self._connected()
                    begin = await consumer.beginning_offsets(places)
                    end = await consumer.end_offsets(places)
                    if since is not None:
                        stamp = math.ceil(since.timestamp() * 1000)
                        told = await consumer.offsets_for_times(dict.fromkeys(places, stamp))
                        begin = {p: told[p].offset if told[p] else end[p] for p in places}
        # `places` is in the order asked for; names are looked up once.
        named = dict(zip(sorted(places), to_partitions(places), strict=True))
        return LogBounds(
            {named[place]: begin[place] for place in places},
            {named[place]: end[place] for place in places},
        )

    async def fetch(
        self, partition: Partition, begin: int, limit: int
    ) -> tuple[IncomingRecord, ...]:
        """See the port."""
        progress = await self.get_log_bounds([partition.topic])
        if partition not in progress.end:
            raise NotFound(topic=partition.topic, partition=partition.number)
        start, end = max(begin, progress.begin[partition]), progress.end[partition]
        if start >= end or limit < 1:
            return ()
        async with self._turn:
            with raise_as_transient("fetching"):
                async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
                    return await self._slice(
                        to_topic_partition(partition), start, min(end, start + limit)
                    )

    async def _slice(
        self, place: TopicPartition, start: int, end: int
    ) -> tuple[IncomingRecord, ...]:
        consumer = await self._connected()
        consumer.assign([place])
        found: list[IncomingRecord] = []
        try:
            consumer.seek(place, start)
            # The position, not the count: offsets may have gaps (another's transaction markers).
            while await consumer.position(place) < end:
                got = await consumer.getmany(place, timeout_ms=200, max_records=end - start)
                found += [
                    to_incoming_record(each) for each in got.get(place, ()) if each.offset < end
                ]
        finally:
            # Else it goes on to fetch in the background.
            consumer.unsubscribe()
        return tuple(found)

    async def _connected(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            consumer = AIOKafkaConsumer(
                **self._cluster.client_options(),
                client_id=self._client_id,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                fetch_max_wait_ms=FETCH_MS,
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
        async with self._turn:
            consumer, self._consumer = self._consumer, None
            if consumer is not None:
                await consumer.stop()
