"""`relay`: how fast an outbox that is full is drained into Kafka."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from shared.kit.bus.kafka import Cluster, KafkaBus
from shared.kit.core.bus import OutgoingRecord, Topic
from shared.kit.database.outbox import shard_of
from tests.benchmarks.collector import collector
from tests.benchmarks.contest import Bench, Contender, Failed, Figures, contest, rate, task_for
from tests.benchmarks.records import posts
from tests.benchmarks.rows import Row
from tests.benchmarks.servers import PARTITIONS, Servers

TOPIC = "bench.relay"
ROWS = 100_000
PEERS = "tests.benchmarks.peers"
WHO = (
    Contender("Préau", "tests.benchmarks.ours.relay", table="outbox"),
    Contender(
        "SKIP LOCKED and aiokafka, by hand",
        f"{PEERS}.naive_relay.peer",
        table="outbox",
        batch=500,
    ),
    Contender(
        "faststream-outbox",
        f"{PEERS}.faststream_outbox_relay.peer",
        "faststream_outbox_relay",
        share=0.02,
        batch=1,
    ),
    Contender("txoutbox", f"{PEERS}.txoutbox_relay.peer", "txoutbox_relay", share=0.02, batch=1),
)


async def relay(bench: Bench, servers: Servers) -> list[Row]:
    """Events a second from the table to acknowledged in the log."""
    records = posts(bench.records(ROWS), traced=0.1)
    bus = KafkaBus(Cluster(servers.kafka), client_id="bench-relay")

    async def measure(contender: Contender, python: str, log: Path) -> Figures:
        await servers.fresh()
        before = await _written(bus)
        if contender.table is not None:
            await _fill(servers, records)
        configured = replace(
            contender, url=servers.plain(), options={"example": records[0].value.decode()}
        )
        if contender is WHO[0]:
            configured = replace(
                configured, url=servers.url("relay"), options={"environment": sink.environment}
            )
        task = task_for(configured, servers.kafka, TOPIC, len(records))
        if contender.table is not None:
            # All there is: nothing comes after that would fill the last batch.
            task = replace(task, count=len(records) - task.warm)
        figures, row_count = await rate(configured, python, log, task, profile=bench.profile)
        arrived = await _written(bus) - before
        # A framework that counts before it sends may be one ahead for each of its workers.
        if arrived < row_count - 100:
            raise Failed(f"{row_count:,} rows, {arrived:,} records")
        return figures

    try:
        await bus.ensure_topics([Topic(TOPIC, PARTITIONS)])
        with collector() as sink:
            return await contest(bench, "relay", WHO, measure)
    finally:
        await bus.close()


async def _written(bus: KafkaBus) -> int:
    return sum((await bus.get_log_bounds([TOPIC])).end.values())


async def _fill(servers: Servers, records: Sequence[OutgoingRecord]) -> None:
    now = datetime.now(UTC)
    rows = (
        (
            shard_of(record.key.decode()),
            TOPIC,
            record.key.decode(),
            record.value,
            record.headers[1][1].decode(),
            now,
        )
        for record in records
    )
    columns = ("shard", "topic", "key", "value", "traceparent", "recorded")
    admin = await servers.admin()
    try:
        await admin.copy_records_to_table("outbox", records=rows, columns=columns)
        await admin.execute("ANALYZE outbox")
    finally:
        await admin.close()
    await servers.checkpoint()
