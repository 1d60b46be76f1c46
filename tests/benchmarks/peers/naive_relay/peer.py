"""The usual first version of a relay: SKIP LOCKED, send, wait, delete, commit."""

import asyncio

import asyncpg
import uvloop
from aiokafka import AIOKafkaProducer

from tests.benchmarks.peers.protocol import Stopwatch, Task, task

CLAIM = """
    SELECT position, topic, key, value FROM outbox ORDER BY position LIMIT $1
    FOR UPDATE SKIP LOCKED
"""
DELETE = "DELETE FROM outbox WHERE position = ANY($1::bigint[])"


async def main(task: Task) -> None:
    database = await asyncpg.connect(task.database)
    producer = AIOKafkaProducer(
        bootstrap_servers=task.kafka, acks="all", enable_idempotence=True, linger_ms=0
    )
    await producer.start()
    watch = Stopwatch(task.warm, task.count)
    done = False
    while not done:
        async with database.transaction():
            rows = await database.fetch(CLAIM, task.batch)
            sent = [
                await producer.send(row["topic"], row["value"], key=row["key"].encode())
                for row in rows
            ]
            await asyncio.gather(*sent)
            await database.execute(DELETE, [row["position"] for row in rows])
        done = watch.passed(len(rows)) or not rows
    watch.report()
    await producer.stop()


if __name__ == "__main__":
    uvloop.run(main(task()))
