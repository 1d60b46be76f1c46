"""The log as the checker asks for it."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from shared.kit.bus.kafka import Cluster, KafkaBus
from shared.kit.bus.kafka.committed_offsets import fetch_committed_offsets
from shared.kit.core.bus import IncomingRecord, LogBounds, Partition


class Log(Protocol):
    """Reads; belongs to no group. All methods raise `Transient` when the broker does not answer."""

    async def get_log_bounds(self, topics: Sequence[str]) -> LogBounds:
        """Return where these topics begin and end. A missing one: `NotFound`."""

    async def fetch(self, partition: Partition, begin: int, limit: int) -> Sequence[IncomingRecord]:
        """Read up to `limit` records from `begin` on."""

    async def get_committed_offsets(self, group: str) -> Mapping[Partition, int]:
        """Return what a group has committed: next offsets."""


class KafkaLog:
    """The log on a Kafka cluster."""

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
        """Disconnect."""
        await self._bus.close()
