"""Port of reconciliation to the log, and its implementation for Kafka."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from shared.kit.bus.kafka import Cluster, KafkaBus
from shared.kit.bus.kafka.committed_offsets import fetch_committed_offsets
from shared.kit.core.bus import IncomingRecord, LogBounds, Partition


class Log(Protocol):
    """Reads topics without a consumer group. Raises `Transient` when the broker does not answer."""

    async def get_log_bounds(self, topics: Sequence[str]) -> LogBounds:
        """Return first and end offsets of these topics. Raises `NotFound` for a missing topic."""

    async def fetch(self, partition: Partition, begin: int, limit: int) -> Sequence[IncomingRecord]:
        """Return up to `limit` records of a partition from offset `begin` on."""

    async def get_committed_offsets(self, group: str) -> Mapping[Partition, int]:
        """Return the offsets that a group has committed: the next ones to read."""


class KafkaLog:
    """The log in a Kafka cluster; see `Log`."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._bus = KafkaBus(cluster, client_id="preau-reconcile")

    async def get_log_bounds(self, topics: Sequence[str]) -> LogBounds:
        """See `Log`."""
        return await self._bus.get_log_bounds(topics)

    async def fetch(self, partition: Partition, begin: int, limit: int) -> Sequence[IncomingRecord]:
        """See `Log`."""
        return await self._bus.fetch(partition, begin, limit)

    async def get_committed_offsets(self, group: str) -> Mapping[Partition, int]:
        """See `Log`."""
        return await fetch_committed_offsets(self._cluster, group)

    async def close(self) -> None:
        """Close the connections."""
        await self._bus.close()
