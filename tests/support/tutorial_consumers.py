"""FastStream and aiokafka as in their tutorials, to show their traps."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from faststream.kafka import KafkaBroker
from faststream.security import SASLScram256

from shared.kit.bus.kafka import Cluster

Handler = Callable[..., Coroutine[Any, Any, None]]
Header = tuple[str, bytes | None]


@dataclass
class RunningSubscriber:
    """A running FastStream subscriber."""

    broker: KafkaBroker
    subscriber: Any

    @property
    def consumer(self) -> AIOKafkaConsumer:
        return self.subscriber.consumer


def broker_options(cluster: Cluster) -> dict[str, Any]:
    """Return FastStream the address and the login in its own words."""
    login = cluster.login
    if not login.uses_sasl:
        return {"bootstrap_servers": cluster.bootstrap}
    security = SASLScram256(login.kafka_username or "", login.kafka_password or "")
    return {"bootstrap_servers": cluster.bootstrap, "security": security}


def cluster_environment(cluster: Cluster) -> dict[str, str]:
    """Return the address and the login to another process."""
    login = cluster.login.model_dump(exclude_none=True)
    settings = {f"PREAU_{name.upper()}": str(text) for name, text in login.items()}
    return {"PREAU_KAFKA": cluster.bootstrap, **settings}


@asynccontextmanager
async def run_subscriber(
    cluster: Cluster, topic: str, group: str, handler: Handler, **options: Any
) -> AsyncIterator[RunningSubscriber]:
    """Run a subscriber with these options, otherwise FastStream's defaults, without logs."""
    broker_option_names = {"graceful_timeout", "apply_types"}
    broker = KafkaBroker(
        **broker_options(cluster),
        logger=None,
        allow_auto_create_topics=False,
        **{name: value for name, value in options.items() if name in broker_option_names},
    )
    subscriber_options = {
        name: value for name, value in options.items() if name not in broker_option_names
    }
    subscriber = broker.subscriber(
        topic, group_id=group, auto_offset_reset="earliest", **subscriber_options
    )
    subscriber(handler)
    await broker.start()
    try:
        yield RunningSubscriber(broker, subscriber)
    finally:
        await broker.stop()


async def count_committed(cluster: Cluster, group: str) -> int:
    """Sum the committed offsets of a group: the records that it will never get again."""
    admin = AIOKafkaAdminClient(**cluster.client_options())
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets(group)
    finally:
        await admin.close()
    return sum(max(committed.offset, 0) for committed in offsets.values())


async def wait_until_committed(cluster: Cluster, group: str, count: int) -> None:
    async with asyncio.timeout(20):
        while await count_committed(cluster, group) < count:  # noqa: ASYNC110  the broker has no event
            await asyncio.sleep(0.02)


async def send_foreign(
    cluster: Cluster, topic: str, values: Iterable[bytes], headers: Iterable[Header] = ()
) -> None:
    """Send as a foreign producer, with any value and headers."""
    producer = AIOKafkaProducer(**cluster.client_options())
    await producer.start()
    try:
        for value in values:
            await producer.send(topic, value, partition=0, headers=list(headers))
    finally:
        await producer.stop()


async def make_topic(cluster: Cluster, topic: str, partitions: int = 1, **settings: str) -> None:
    admin = AIOKafkaAdminClient(**cluster.client_options())
    await admin.start()
    try:
        topic_configs = {name.replace("_", "."): value for name, value in settings.items()}
        await admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=topic_configs)])
    finally:
        await admin.close()


def make_consumer(
    cluster: Cluster, *topics: str, group: str | None = None, **options: Any
) -> AIOKafkaConsumer:
    """Create an aiokafka consumer without automatic commits."""
    return AIOKafkaConsumer(
        *topics,
        **cluster.client_options(),
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        heartbeat_interval_ms=300,
        **options,
    )


def topic_partition(topic: str, number: int = 0) -> TopicPartition:
    return TopicPartition(topic, number)
