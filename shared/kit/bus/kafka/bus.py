"""Implements `shared.kit.core.bus.Bus` on Kafka."""

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
    """A bus on a Kafka cluster; see `Bus`.

    Connects at first use; `close` ends everything. `replication` is the replication factor of the
    topics that `ensure_topics` creates.
    """

    def __init__(self, cluster: Cluster, *, client_id: str, replication: int = 1) -> None:
        self._cluster = cluster
        self._client_id = client_id
        self._replication = replication
        self._sender = Sender(cluster, client_id)
        self._log_reader = LogReader(cluster, f"{client_id}-look")
        self._subscriptions: list[KafkaSubscription] = []
        self._closed = False

    async def send(self, records: Sequence[OutgoingRecord]) -> None:
        """See `Bus.send`."""
        self._require_open()
        await self._sender.send(records)

    async def subscribe(self, config: SubscriptionConfig) -> Subscription:
        """See `Bus.subscribe`."""
        self._require_open()
        # Trap: a subscription waits 40 s for a missing topic, and its metadata request creates the
        # topic if the broker allows that.
        await self._log_reader.list_partitions(config.topics)
        client_id = f"{self._client_id}-{config.group}"
        subscription = KafkaSubscription(self._cluster, client_id, config)
        with raise_as_transient(f"reading as {config.group}"):
            await subscription.start()
        self._subscriptions = [running for running in self._subscriptions if running.running]
        self._subscriptions.append(subscription)
        return subscription

    async def ensure_topics(self, topics: Sequence[Topic]) -> None:
        """Create the topics that are missing, and wait until they can be used."""
        self._require_open()
        existing = await self._log_reader.count_partitions()
        missing = [topic for topic in topics if topic.name not in existing]
        if missing:
            with raise_as_transient("creating topics"):
                await create_topics(self._cluster, self._client_id, missing, self._replication)
            await self._log_reader.wait_until_ready([topic.name for topic in missing])

    async def get_log_bounds(
        self, topics: Sequence[str], since: datetime | None = None
    ) -> LogBounds:
        """See `Bus.get_log_bounds`."""
        self._require_open()
        return await self._log_reader.get_log_bounds(topics, since)

    async def fetch(self, partition: Partition, begin: int, limit: int) -> Sequence[IncomingRecord]:
        """See `Bus.fetch`."""
        self._require_open()
        return await self._log_reader.fetch(partition, begin, limit)

    async def close(self) -> None:
        """Stop the subscriptions, then the producer. Idempotent."""
        self._closed = True
        for subscription in self._subscriptions:
            await subscription.stop()
        await self._sender.close()
        await self._log_reader.close()

    def _require_open(self) -> None:
        if self._closed:
            raise Transient(internal_reason="closed")
