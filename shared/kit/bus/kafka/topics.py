"""Creating topics."""

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

# Facts are kept without limit, and never compacted: several types share a topic and a key.
TOPIC_SETTINGS = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "max.message.bytes": str(MAX_RECORD_BYTES + 1_000_000),
}


_TRIES = 50
_PAUSE = 0.1


async def create_topics(
    cluster: Cluster, client_id: str, topics: Sequence[Topic], replication: int
) -> None:
    """Ask the controller for these topics; one that appeared meanwhile is none of our business."""
    admin = AIOKafkaAdminClient(**cluster.client_options(), client_id=client_id)
    try:
        await admin.start()
        answer = await admin.create_topics(
            [
                NewTopic(each.name, each.partitions, replication, topic_configs=TOPIC_SETTINGS)
                for each in topics
            ]
        )
        await _until_coordinated(admin, cluster.user or "preau")
    finally:
        await admin.close()
    for name, code, *_ in answer.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise error(name)


async def _until_coordinated(admin: AIOKafkaAdminClient, group: str) -> None:
    """Ask for a group's coordinator until there is one.

    The first question a fresh cluster is asked makes it create the topic of the offsets, and every
    reader that joins meanwhile would raise an alarm about nothing.
    """
    for _ in range(_TRIES):
        try:
            await admin.find_coordinator(group)
        except GroupAuthorizationFailedError:  # a user may ask about its own groups only
            return
        except KafkaError:
            await asyncio.sleep(_PAUSE)
        else:
            return
