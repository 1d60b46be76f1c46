"""The Kafka body of `shared.kit.core.bus.Bus`, put together from its parts."""

from collections.abc import Sequence
from datetime import datetime

from shared.kit.bus.kafka.cluster import Cluster
from shared.kit.bus.kafka.conversions import raise_as_transient
from shared.kit.bus.kafka.log_reader import LogReader
from shared.kit.bus.kafka.sender import Sender
from shared.kit.bus.kafka.subscription import KafkaSubscription
from shared.kit.bus.kafka.topics import create_topics
from shared.kit.core.bus import (
    IncomingRecord,
    LogBounds,
    OutgoingRecord,
    Partition,
    Subscription,
    SubscriptionConfig,
    Topic,
)
from shared.kit.core.errors import Transient


class KafkaBus:
    """A bus on a Kafka cluster.

    Connects at first use; `close` ends everything. `replication` is for the topics it creates.
    """

    def __init__(self, cluster: Cluster, *, client_id: str, replication: int = 1) -> None:
        self._cluster = cluster
        self._client_id = client_id
        self._replication = replication
        self._sender = Sender(cluster, client_id)
        self._looker = LogReader(cluster, f"{client_id}-look")
        self._readers: list[KafkaSubscription] = []
        self._closed = False

    async def send(self, records: Sequence[OutgoingRecord]) -> None:
        """Send all of them; see the port."""
        self._require_open()
        await self._sender.send(records)

    async def subscribe(self, config: SubscriptionConfig) -> Subscription:
        """Join a group; see the port."""
        self._require_open()
        # Trap: a subscription waits 40 s for a missing topic, and where the broker allows it, its
        # question creates the topic.
        await self._looker.list_partitions(config.topics)
        reader = KafkaSubscription(self._cluster, f"{self._client_id}-{config.group}", config)
        with raise_as_transient(f"reading as {config.group}"):
            await reader.start()
        self._readers = [each for each in self._readers if each.running]
        self._readers.append(reader)
        return reader

    async def ensure_topics(self, topics: Sequence[Topic]) -> None:
        """Create the topics that are missing, and wait until they can be used."""
        self._require_open()
        known = await self._looker.count_partitions()
        missing = [topic for topic in topics if topic.name not in known]
        if missing:
            with raise_as_transient("creating topics"):
                await create_topics(self._cluster, self._client_id, missing, self._replication)
            await self._looker.wait_until_ready([topic.name for topic in missing])

    async def get_log_bounds(
        self, topics: Sequence[str], since: datetime | None = None
    ) -> LogBounds:
        """Ask where these topics begin and end."""
        self._require_open()
        return await self._looker.get_log_bounds(topics, since)

    async def fetch(self, partition: Partition, begin: int, limit: int) -> Sequence[IncomingRecord]:
        """Read a slice of the log, outside of any group."""
        self._require_open()
        return await self._looker.fetch(partition, begin, limit)

    async def close(self) -> None:
        """Stop all readers, then the producer. Idempotent."""
        self._closed = True
        for reader in self._readers:
            await reader.stop()
        await self._sender.close()
        await self._looker.close()

    def _require_open(self) -> None:
        if self._closed:
            raise Transient(reason="closed")
