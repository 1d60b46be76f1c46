"""Between the port's words and the client's."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from shared.kit.core.bus import IncomingRecord, Partition
from shared.kit.core.errors import Transient


@contextmanager
def raise_as_transient(doing: str) -> Iterator[None]:
    """Turn what the client and the network raise into `Transient`."""
    try:
        yield
    except (KafkaError, OSError, TimeoutError) as error:
        raise Transient(reason=f"{doing}: {type(error).__name__} {error}") from error


@lru_cache(maxsize=4096)
def to_partition(topic: str, number: int) -> Partition:
    """Name a partition; the same object each time, because every record carries one."""
    return Partition(topic, number)


def to_partitions(places: Iterable[TopicPartition]) -> list[Partition]:
    """Name partitions, sorted."""
    return [to_partition(topic, number) for topic, number in sorted(places)]


def to_topic_partition(place: Partition) -> TopicPartition:
    """Name a partition as aiokafka does."""
    return TopicPartition(place.topic, place.number)


def to_incoming_record(record: ConsumerRecord) -> IncomingRecord:
    """Take a record as it is, holes included."""
    return IncomingRecord(
        to_partition(record.topic, record.partition),
        record.offset,
        record.key,
        record.value,
        # Two names may be alike, and a value may be None: never a dict.
        tuple(record.headers),
        record.timestamp,
    )
