"""The log as the checker asks for it."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from shared.kit.bus.kafka import Cluster, KafkaBus
from shared.kit.bus.kafka.committed import committed
from shared.kit.core.bus import Incoming, Partition, Progress


class Log(Protocol):
    """Reads; belongs to no group. All methods raise `Transient` when the broker does not answer."""

    async def progress(self, topics: Sequence[str]) -> Progress:
        """Say where these topics begin and end. A missing one: `NotFound`."""

    async def fetch(self, partition: Partition, begin: int, limit: int) -> Sequence[Incoming]:
        """Read up to `limit` records from `begin` on."""

    async def committed(self, group: str) -> Mapping[Partition, int]:
        """Say what a group has committed: next offsets."""


class KafkaLog:
    """The log on a Kafka cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._bus = KafkaBus(cluster, client_id="preau-reconcile")

    async def progress(self, topics: Sequence[str]) -> Progress:
        """See `Log`."""
        return await self._bus.progress(topics)

    async def fetch(self, partition: Partition, begin: int, limit: int) -> Sequence[Incoming]:
        """See `Log`."""
        return await self._bus.fetch(partition, begin, limit)

    async def committed(self, group: str) -> Mapping[Partition, int]:
        """See `Log`."""
        return await committed(self._cluster, group)

    async def close(self) -> None:
        """Disconnect."""
        await self._bus.close()
