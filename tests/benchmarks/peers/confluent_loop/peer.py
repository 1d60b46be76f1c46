"""librdkafka, by hand: `consume`, decode, one statement through psycopg, commit every 0.2 s.

With the option `overlap`, a thread polls and decodes the next batches while the database works.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg  # type: ignore[import-not-found]  # in the peer's own environment
from confluent_kafka import Consumer  # type: ignore[import-not-found]  # the same

from tests.benchmarks.peers.event import Event, columns, decode
from tests.benchmarks.peers.protocol import Stopwatch, Task, task
from tests.benchmarks.peers.statement import COMMIT_EVERY, PSYCOPG

Batch = tuple[list[Event], dict[int, int], int]
AHEAD = 2


def batches(consumer: Any, task: Task) -> Iterator[Batch]:
    """Poll and decode; give events, next offsets, number of records."""
    typed = task.options.get("decode", True)
    while True:
        records = consumer.consume(task.batch, 0.2)
        if not records:
            continue
        for record in records:
            if record.error() is not None:
                raise RuntimeError(record.error())
        nexts = {record.partition(): record.offset() + 1 for record in records}
        yield [decode(record.value()) for record in records] if typed else [], nexts, len(records)


def ahead(source: Iterator[Batch]) -> Iterator[Batch]:
    """Yield batches from a thread that prefetches up to two of them."""
    line: queue.Queue[Batch] = queue.Queue(AHEAD)

    def fill() -> None:
        for batch in source:
            line.put(batch)

    threading.Thread(target=fill, daemon=True).start()
    while True:
        yield line.get()


def main(task: Task) -> None:
    from confluent_kafka import TopicPartition  # noqa: PLC0415  beside its only use

    watch = Stopwatch(task.warm, task.count)
    apply: Callable[[list[Event]], object] = lambda _: None  # noqa: E731  no effect
    if task.effect:
        database = psycopg.connect(task.database, autocommit=True)
        cursor = database.cursor()
        apply = lambda events: cursor.execute(PSYCOPG, columns(events))  # noqa: E731
    consumer = Consumer(
        {
            "bootstrap.servers": task.kafka,
            "group.id": task.group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([task.topic])
    source = batches(consumer, task)
    owed: dict[int, int] = {}
    committed = time.monotonic()
    for events, nexts, number in ahead(source) if task.options.get("overlap") else source:
        apply(events)
        owed |= nexts
        if time.monotonic() - committed > COMMIT_EVERY:
            committed = time.monotonic()
            places = [TopicPartition(task.topic, part, at) for part, at in owed.items()]
            consumer.commit(offsets=places, asynchronous=True)
        if watch.passed(number):
            break
    watch.report_and_leave()


if __name__ == "__main__":
    main(task())
