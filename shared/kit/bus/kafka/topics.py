"""Creating topics."""

from collections.abc import Sequence

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from shared.kit.bus.port import MAX_RECORD, Topic

# Facts are kept without limit, and never compacted: several types share a topic and a key.
SETTINGS = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "max.message.bytes": str(MAX_RECORD + 1_000_000),
}


async def create(bootstrap: str, client_id: str, topics: Sequence[Topic], replication: int) -> None:
    """Ask the controller for these topics; one that appeared meanwhile is none of our business."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, client_id=client_id)
    try:
        await admin.start()
        answer = await admin.create_topics(
            [
                NewTopic(each.name, each.partitions, replication, topic_configs=SETTINGS)
                for each in topics
            ]
        )
    finally:
        await admin.close()
    for name, code, *_ in answer.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise error(name)
