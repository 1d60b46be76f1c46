"""The committed offsets of a consumer group, fetched without joining it."""

from collections.abc import Mapping

from aiokafka.admin import AIOKafkaAdminClient

from shared.kit.bus.kafka.cluster import Cluster
from shared.kit.bus.kafka.conversions import raise_as_transient, to_partition
from shared.kit.core.bus import Partition


async def fetch_committed_offsets(cluster: Cluster, group: str) -> Mapping[Partition, int]:
    """Return the next offset of each partition that the group ever committed.

    Raises `Transient`.
    """
    with raise_as_transient(f"asking what {group} has committed"):
        admin = AIOKafkaAdminClient(**cluster.client_options(), client_id="preau-committed")
        try:
            await admin.start()
            offsets = await admin.list_consumer_group_offsets(group)
        finally:
            await admin.close()
    return {
        to_partition(partition.topic, partition.partition): committed.offset
        for partition, committed in offsets.items()
    }
