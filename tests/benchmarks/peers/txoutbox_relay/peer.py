"""txoutbox as its README shows it: its PostgreSQL storage, one function that sends to Kafka."""

import json

import asyncpg
import uvloop
from aiokafka import AIOKafkaProducer
from txoutbox import OutboxMessage, Relay  # type: ignore[import-not-found]  # in its own environment
from txoutbox.adapters.postgres import PostgresStorage  # type: ignore[import-not-found]  # the same

from tests.benchmarks.peers.protocol import Stopwatch, Task, task


async def main(given: Task) -> None:
    watch = Stopwatch(given.warm, given.count)
    pool = await asyncpg.create_pool(given.database)
    outbox = PostgresStorage(pool, table="txoutbox")
    await pool.execute("DROP TABLE IF EXISTS txoutbox CASCADE")
    await outbox.create_schema()
    body = json.loads(given.options["example"])
    async with pool.acquire() as connection, connection.transaction():
        for number in range(given.total + 10):
            await outbox.insert(connection, given.topic, body, key=f"{given.group}-{number}")
    producer = AIOKafkaProducer(bootstrap_servers=given.kafka)
    await producer.start()

    async def publish(message: OutboxMessage) -> None:
        key = message.key.encode() if message.key else None
        await producer.send_and_wait(message.topic, message.payload, key=key)
        if watch.passed(1):
            watch.report_and_leave()

    await Relay(outbox, publish).run()


if __name__ == "__main__":
    uvloop.run(main(task()))
