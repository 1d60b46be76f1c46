"""Conversions between the types of `core.bus` and those of aiokafka."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from shared.kit.core.bus import IncomingRecord, Partition
from shared.kit.core.errors import Transient


@contextmanager
def raise_as_transient(action: str) -> Iterator[None]:
    """Convert errors of the client and of the network into `Transient`."""
    try:
        yield
    except (KafkaError, OSError, TimeoutError) as error:
        raise Transient(internal_reason=f"{action}: {type(error).__name__} {error}") from error


@lru_cache(maxsize=4096)
def to_partition(topic: str, number: int) -> Partition:
    """Return the `Partition`; the same object each time, because every record refers to one."""
    return Partition(topic, number)


def to_partitions(partitions: Iterable[TopicPartition]) -> list[Partition]:
    """Convert partitions, sorted by topic and number."""
    return [to_partition(topic, number) for topic, number in sorted(partitions)]


def to_topic_partition(partition: Partition) -> TopicPartition:
    """Convert a partition to aiokafka's type."""
    return TopicPartition(partition.topic, partition.number)


def to_incoming_record(record: ConsumerRecord) -> IncomingRecord:
    """Convert a record of aiokafka; None values are kept."""
    return IncomingRecord(
        to_partition(record.topic, record.partition),
        record.offset,
        record.key,
        record.value,
        # Not a dict: header names may repeat, and a header's value may be None.
        tuple(record.headers),
        record.timestamp,
    )
