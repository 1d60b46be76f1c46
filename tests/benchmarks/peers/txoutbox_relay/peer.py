"""txoutbox as its README shows it: its PostgreSQL storage, one function that sends to Kafka."""

import json

import asyncpg
import uvloop
from aiokafka import AIOKafkaProducer
from txoutbox import OutboxMessage, Relay  # type: ignore[import-not-found]  # in its own environment
from txoutbox.adapters.postgres import PostgresStorage  # type: ignore[import-not-found]  # the same

from tests.benchmarks.peers.protocol import Stopwatch, Task, task


async def main(task: Task) -> None:
    watch = Stopwatch(task.warm, task.count)
    pool = await asyncpg.create_pool(task.database)
    outbox = PostgresStorage(pool, table="txoutbox")
    await pool.execute("DROP TABLE IF EXISTS txoutbox CASCADE")
    await outbox.create_schema()
    body = json.loads(task.options["example"])
    async with pool.acquire() as connection, connection.transaction():
        for number in range(task.total + 10):
            await outbox.insert(connection, task.topic, body, key=f"{task.group}-{number}")
    producer = AIOKafkaProducer(bootstrap_servers=task.kafka)
    await producer.start()

    async def publish(message: OutboxMessage) -> None:
        key = message.key.encode() if message.key else None
        await producer.send_and_wait(message.topic, message.payload, key=key)
        if watch.passed(1):
            watch.report_and_leave()

    await Relay(outbox, publish).run()


if __name__ == "__main__":
    uvloop.run(main(task()))
