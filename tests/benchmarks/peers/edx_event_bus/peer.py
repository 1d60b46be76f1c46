"""Open edX's event bus on Kafka (AGPL, hence only ever this outside process).

It reads no foreign format: the events are its own, written by its own producer before the clock
starts, to a topic of its own. Its schema registry is confluent-kafka's in-memory one.
"""

import logging
from datetime import UTC, datetime
from typing import Any

import django  # type: ignore[import-not-found]  # all in the peer's own environment
from confluent_kafka import schema_registry  # type: ignore[import-not-found]
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[import-not-found]
from django.conf import settings  # type: ignore[import-not-found]

from tests.benchmarks.peers.protocol import Stopwatch, Task, task


def configure(task: Task) -> None:
    """Set Django up with what the event bus reads, and nothing else."""
    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "waffle"],
        EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS=task.kafka,
        EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL="mock://bench",
        EVENT_BUS_KAFKA_CONSUMERS_ENABLED=True,
        USE_TZ=True,
    )
    django.setup()
    logging.disable(logging.INFO)


def write(task: Task, topic: str, signal: Any) -> None:
    """Write the events with its own producer."""
    from edx_event_bus_kafka import create_producer  # type: ignore[import-not-found]  # noqa: PLC0415
    from openedx_events.data import EventsMetadata  # type: ignore[import-not-found]  # noqa: PLC0415
    from openedx_events.learning.data import UserData, UserPersonalData  # type: ignore[import-not-found]  # noqa: PLC0415

    admin = AdminClient({"bootstrap.servers": task.kafka})
    admin.create_topics([NewTopic(topic, 8)])[topic].result()
    producer = create_producer()
    for number in range(task.total + 100):
        person = UserPersonalData(username=f"zoé-{number}", email="zoé@école.fr", name="Zoé 🎓")
        producer.send(
            signal=signal,
            topic=topic,
            event_key_field="user.id",
            event_data={"user": UserData(pii=person, id=number, is_active=True)},
            event_metadata=EventsMetadata(event_type=signal.event_type, time=datetime.now(UTC)),
        )
    producer.prepare_for_shutdown()


def main(task: Task) -> None:
    registry = schema_registry.SchemaRegistryClient.new_client({"url": "mock://bench"})
    schema_registry.SchemaRegistryClient = lambda _: registry
    configure(task)
    import edx_event_bus_kafka.internal.config as config  # type: ignore[import-not-found]  # noqa: PLC0415, PLR0402
    import edx_event_bus_kafka.internal.consumer as consumer_module  # type: ignore[import-not-found]  # noqa: PLC0415
    from edx_event_bus_kafka import KafkaEventConsumer  # noqa: PLC0415
    from openedx_events.learning.signals import SESSION_LOGIN_COMPLETED  # type: ignore[import-not-found]  # noqa: PLC0415

    config.SchemaRegistryClient = lambda _: registry
    # It has no setting for where a new group begins, and would skip all that is there.
    common = consumer_module.load_common_settings
    consumer_module.load_common_settings = lambda: common() | {"auto.offset.reset": "earliest"}
    topic = f"{task.topic}.edx.{task.group}"
    write(task, topic, SESSION_LOGIN_COMPLETED)
    watch = Stopwatch(task.warm, task.count)

    def seen(**_: Any) -> None:
        if watch.passed(1):
            watch.report_and_leave()

    SESSION_LOGIN_COMPLETED.connect(seen)
    consumer = KafkaEventConsumer(topic, task.group)
    consumer.consume_indefinitely()


if __name__ == "__main__":
    main(task())
