"""sentry-arroyo: `RunTask`, then `CommitOffsets`; `tuned` as far as its options go."""

from typing import Any

# In the peer's own environment:
from arroyo.backends.kafka import (  # type: ignore[import-not-found]
    KafkaConsumer,
    KafkaPayload,
)
from arroyo.backends.kafka.configuration import (  # type: ignore[import-not-found]
    build_kafka_consumer_configuration,
)
from arroyo.commit import ONCE_PER_SECOND, CommitPolicy  # type: ignore[import-not-found]
from arroyo.processing import StreamProcessor  # type: ignore[import-not-found]
from arroyo.processing.strategies import (  # type: ignore[import-not-found]
    CommitOffsets,
    RunTask,
)
from arroyo.types import Topic  # type: ignore[import-not-found]

from tests.benchmarks.peers.event import decode
from tests.benchmarks.peers.protocol import Stopwatch, Task, task


class Factory:
    """Builds the strategy on every assignment."""

    def __init__(self, watch: Stopwatch) -> None:
        self._watch = watch

    def create_with_partitions(self, commit: Any, partitions: Any) -> Any:
        return RunTask(self._seen, CommitOffsets(commit))

    def _seen(self, message: Any) -> object:
        payload: KafkaPayload = message.payload
        event = decode(payload.value)
        if self._watch.passed(1):
            self._watch.report_and_leave()
        return event

    def shutdown(self) -> None: ...


def main(task: Task) -> None:
    tuned = task.options.get("tuned", False)
    settings = build_kafka_consumer_configuration(
        {},
        bootstrap_servers=[task.kafka],
        group_id=task.group,
        auto_offset_reset="earliest",
        queued_min_messages=100_000 if tuned else None,
    )
    policy = CommitPolicy(5.0, None) if tuned else ONCE_PER_SECOND
    watch = Stopwatch(task.warm, task.count)
    StreamProcessor(KafkaConsumer(settings), Topic(task.topic), Factory(watch), policy).run()


if __name__ == "__main__":
    main(task())
