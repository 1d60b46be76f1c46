"""Independent access to log and tables: a bare Kafka client and plain SQL."""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from deploy.local.stack import StackAddresses
from shared.kit.bus.kafka import Cluster

COUNTER_COLUMNS = ("applied", "ignored", "duplicate")


@dataclass(frozen=True)
class RecordPosition:
    """Where a record went."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


async def count_records(kafka: Cluster, topics: Sequence[str]) -> dict[str, int]:
    """Read these topics from their beginning to their end, and count the records one by one."""
    reader = AIOKafkaConsumer(**kafka.client_options(), enable_auto_commit=False, group_id=None)
    await reader.start()
    try:
        partitions = await list_partitions(kafka, topics)
        reader.assign(partitions)
        await reader.seek_to_beginning(*partitions)
        ends = await reader.end_offsets(partitions)
        counts = dict.fromkeys(topics, 0)
        while any([await reader.position(partition) < ends[partition] for partition in partitions]):
            for partition, records in (await reader.getmany(timeout_ms=200)).items():
                counts[partition.topic] += len(records)
        return counts
    finally:
        await reader.stop()


async def list_partitions(kafka: Cluster, topics: Sequence[str]) -> list[TopicPartition]:
    admin = AIOKafkaAdminClient(**kafka.client_options())
    await admin.start()
    try:
        return [
            TopicPartition(topic["topic"], partition["partition"])
            for topic in await admin.describe_topics(list(topics))
            for partition in topic["partitions"]
        ]
    finally:
        await admin.close()


async def produce(kafka: Cluster, topic: str, key: bytes, value: bytes) -> RecordPosition:
    """Send a record as any foreign program can."""
    producer = AIOKafkaProducer(**kafka.client_options(), acks="all")
    await producer.start()
    try:
        metadata = await producer.send_and_wait(topic, value, key=key)
        return RecordPosition(metadata.topic, metadata.partition, metadata.offset)
    finally:
        await producer.stop()


async def read_ledger(addresses: StackAddresses, service: str) -> tuple[dict[str, int], set[str]]:
    """What a group's own tables say became of what it read, and the topics that it reads."""
    rows = await fetch_as_owner(
        addresses, service, "SELECT * FROM positions WHERE consumer_group = $1", service
    )
    counts = {name: sum(row[name] for row in rows) for name in COUNTER_COLUMNS}
    state_rows = await fetch_as_owner(
        addresses,
        service,
        "SELECT state, count(*) AS n FROM parked WHERE consumer_group = $1 GROUP BY 1",
        service,
    )
    states = {row["state"]: row["n"] for row in state_rows}
    counts["parked"] = states.get("parked", 0)
    counts["dead_lettered"] = states.get("dead", 0) + states.get("skipped", 0)
    return counts, {row["topic"] for row in rows}


async def fetch_as_owner(
    addresses: StackAddresses, service: str, query: str, *values: object, tenants: str = ""
) -> list[asyncpg.Record]:
    """Ask a service's database as its owner, who sees these tenants' rows."""
    url = addresses.database_url(service, "owner").replace("+asyncpg", "")
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SELECT set_config('app.tenants', $1, false)", tenants)
        return await connection.fetch(query, *values)
    finally:
        await connection.close()
