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
    made = posts(bench.records(ROWS), traced=0.1)
    bus = KafkaBus(Cluster(servers.kafka), client_id="bench-relay")

    async def measure(each: Contender, python: str, log: Path) -> Figures:
        await servers.fresh()
        before = await _written(bus)
        if each.table is not None:
            await _fill(servers, made)
        one = replace(each, url=servers.plain(), options={"example": made[0].value.decode()})
        if each is WHO[0]:
            one = replace(one, url=servers.url("relay"), options={"environment": sink.environment})
        given = task_for(one, servers.kafka, TOPIC, len(made))
        if each.table is not None:
            # All there is: nothing comes after that would fill the last batch.
            given = replace(given, count=len(made) - given.warm)
        found, seen = await rate(one, python, log, given, profile=bench.profile)
        arrived = await _written(bus) - before
        # A framework that counts before it sends may be one ahead for each of its workers.
        if arrived < seen - 100:
            raise Failed(f"{seen:,} rows, {arrived:,} records")
        return found

    try:
        await bus.ensure_topics([Topic(TOPIC, PARTITIONS)])
        with collector() as sink:
            return await contest(bench, "relay", WHO, measure)
    finally:
        await bus.close()


async def _written(bus: KafkaBus) -> int:
    return sum((await bus.get_log_bounds([TOPIC])).end.values())


async def _fill(servers: Servers, made: Sequence[OutgoingRecord]) -> None:
    now = datetime.now(UTC)
    rows = (
        (
            shard_of(each.key.decode()),
            TOPIC,
            each.key.decode(),
            each.value,
            each.headers[1][1].decode(),
            now,
        )
        for each in made
    )
    columns = ("shard", "topic", "key", "value", "traceparent", "recorded")
    admin = await servers.admin()
    try:
        await admin.copy_records_to_table("outbox", records=rows, columns=columns)
        await admin.execute("ANALYZE outbox")
    finally:
        await admin.close()
    await servers.checkpoint()
