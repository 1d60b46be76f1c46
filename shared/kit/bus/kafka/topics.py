"""Creates topics, and waits until consumer groups can join."""

import asyncio
from collections.abc import Sequence

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAlreadyExistsError,
    for_code,
)

from shared.kit.bus.kafka.cluster import Cluster
from shared.kit.core.bus import MAX_RECORD_BYTES, Topic

TOPIC_SETTINGS = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "max.message.bytes": str(MAX_RECORD_BYTES + 1_000_000),
}
"""Events are retained without limit, and never compacted: several types share a topic and a key."""

_MAX_ATTEMPTS = 50
_POLL_INTERVAL_SECONDS = 0.1


async def create_topics(
    cluster: Cluster, client_id: str, topics: Sequence[Topic], replication: int
) -> None:
    """Create these topics; one that was created meanwhile is left as it is. Raises `KafkaError`."""
    admin = AIOKafkaAdminClient(**cluster.client_options(), client_id=client_id)
    try:
        await admin.start()
        response = await admin.create_topics(
            [
                NewTopic(topic.name, topic.partitions, replication, topic_configs=TOPIC_SETTINGS)
                for topic in topics
            ]
        )
        await _wait_for_coordinator(admin, cluster.user or "preau")
    finally:
        await admin.close()
    for name, code, *_ in response.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise error(name)


async def _wait_for_coordinator(admin: AIOKafkaAdminClient, group: str) -> None:
    """Wait until the group coordinator is available.

    The first request for it makes a new cluster create its offsets topic, and every consumer that
    joins meanwhile would log errors without cause.
    """
    for _ in range(_MAX_ATTEMPTS):
        try:
            await admin.find_coordinator(group)
        except GroupAuthorizationFailedError:  # this user may only use its own groups
            return
        except KafkaError:
            await asyncio.sleep(_POLL_INTERVAL_SECONDS)
        else:
            return
