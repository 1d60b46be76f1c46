"""aiokafka, by hand: `getmany`, decode, one statement through asyncpg, commit every 0.2 s."""

import asyncio
import time

import asyncpg
import uvloop
from aiokafka import AIOKafkaConsumer

from tests.benchmarks.peers.event import Event, columns, decode
from tests.benchmarks.peers.protocol import Stopwatch, Task, task
from tests.benchmarks.peers.statement import ASYNCPG, COMMIT_EVERY


async def main(task: Task) -> None:
    watch = Stopwatch(task.warm, task.count)
    database = await asyncpg.connect(task.database) if task.effect else None
    consumer = AIOKafkaConsumer(
        task.topic,
        bootstrap_servers=task.kafka,
        group_id=task.group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    committed = time.monotonic()
    commits: set[asyncio.Task[None]] = set()
    done = False
    while not done:
        polled = await consumer.getmany(timeout_ms=200, max_records=task.batch)
        records = [record for part in polled.values() for record in part]
        if not records:
            continue
        if task.options.get("decode", True):
            events: list[Event] = [decode(record.value) for record in records]
            if database is not None:
                await database.execute(ASYNCPG, *columns(events))
        if time.monotonic() - committed > COMMIT_EVERY:
            committed = time.monotonic()
            commits = {asyncio.create_task(consumer.commit())}
        done = watch.passed(len(records))
    watch.report()
    await asyncio.gather(*commits)
    await consumer.stop()


if __name__ == "__main__":
    uvloop.run(main(task()))
