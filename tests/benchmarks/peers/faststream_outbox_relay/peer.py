"""faststream-outbox as its quickstart shows it: a subscriber of the table, a Kafka publisher."""

import json
from typing import Any

import uvloop
from faststream import FastStream
from faststream.kafka import KafkaBroker
from faststream_outbox import (  # type: ignore[import-not-found]  # in its own environment
    OutboxBroker,
    make_outbox_table,
)
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

from tests.benchmarks.peers.protocol import Stopwatch, task

QUEUE = "bench"
given = task()
watch = Stopwatch(given.warm, given.count)
metadata = MetaData()
table = make_outbox_table(metadata, table_name="faststream_outbox")
engine = create_async_engine(given.database.replace("postgresql://", "postgresql+asyncpg://"))
outbox = OutboxBroker(engine, outbox_table=table)
kafka = KafkaBroker(given.kafka)
publisher = kafka.publisher(given.topic)


@publisher
@outbox.subscriber(QUEUE)  # type: ignore[untyped-decorator]  # the same
async def relay(body: dict[str, Any]) -> dict[str, Any]:
    if watch.passed(1):
        watch.report_and_leave()
    return body


async def main() -> None:
    async with engine.begin() as connection:
        await connection.run_sync(metadata.drop_all)
        await connection.run_sync(metadata.create_all)
    body = json.loads(given.options["example"])
    session_of = async_sessionmaker(engine, expire_on_commit=False)
    async with session_of() as session, session.begin():
        for _ in range(given.total + 10):
            await outbox.publish(body, queue=QUEUE, session=session)
    await FastStream(outbox, on_startup=[kafka.connect]).run()


if __name__ == "__main__":
    uvloop.run(main())
