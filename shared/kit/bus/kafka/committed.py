"""What a group has committed, as the broker says to who is no member of it."""

from collections.abc import Mapping

from aiokafka.admin import AIOKafkaAdminClient

from shared.kit.bus.kafka.cluster import Cluster
from shared.kit.bus.kafka.translate import ours, transient
from shared.kit.core.bus import Partition


async def committed(cluster: Cluster, group: str) -> Mapping[Partition, int]:
    """Give the next offset of each partition that the group ever committed; raises `Transient`."""
    with transient(f"asking what {group} has committed"):
        admin = AIOKafkaAdminClient(**cluster.options(), client_id="preau-committed")
        try:
            await admin.start()
            found = await admin.list_consumer_group_offsets(group)
        finally:
            await admin.close()
    return {ours(place.topic, place.partition): each.offset for place, each in found.items()}
