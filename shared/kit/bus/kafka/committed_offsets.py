"""What a group has committed, as the broker says to who is no member of it."""

from collections.abc import Mapping

from aiokafka.admin import AIOKafkaAdminClient

from shared.kit.bus.kafka.cluster import Cluster
from shared.kit.bus.kafka.conversions import raise_as_transient, to_partition
from shared.kit.core.bus import Partition


async def fetch_committed_offsets(cluster: Cluster, group: str) -> Mapping[Partition, int]:
    """Return the next offset of each partition that the group committed; raises `Transient`."""
    with raise_as_transient(f"asking what {group} has committed"):
        admin = AIOKafkaAdminClient(**cluster.client_options(), client_id="preau-committed")
        try:
            await admin.start()
            found = await admin.list_consumer_group_offsets(group)
        finally:
            await admin.close()
    return {
        to_partition(place.topic, place.partition): each.offset for place, each in found.items()
    }
