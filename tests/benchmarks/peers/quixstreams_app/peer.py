"""quixstreams as its quickstart shows it: a streaming dataframe over JSON."""

from typing import Any

from quixstreams import Application  # type: ignore[import-not-found]  # in its own environment

from tests.benchmarks.peers.protocol import Stopwatch, Task, task


def main(task: Task) -> None:
    watch = Stopwatch(task.warm, task.count)
    app = Application(
        broker_address=task.kafka,
        consumer_group=task.group,
        auto_offset_reset="earliest",
        auto_create_topics=False,
    )
    frame = app.dataframe(app.topic(task.topic, value_deserializer="json"))

    def seen(_: dict[str, Any]) -> None:
        if watch.passed(1):
            watch.report_and_leave()

    frame.update(seen)
    app.run()


if __name__ == "__main__":
    main(task())
