"""Traps of topic creation and of the producer."""

import asyncio
import inspect
import os
import signal
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, OutOfOrderSequenceNumber
from faststream.kafka import KafkaBroker

from deploy.local.stack import Stack
from shared.kit.bus.kafka import Cluster, KafkaBus, sender
from shared.kit.core.bus import OutgoingRecord, Topic
from shared.kit.core.errors import NotFound, Transient
from tests.kit.bus.conftest import ON_KAFKA
from tests.support import tutorial_consumers as tutorial
from tests.support.consumers import RecordingConsumer, make_records, wait_until

pytestmark = [*ON_KAFKA]


async def test_faststream_subscriber_creates_topics_unless_disabled(
    cluster: Cluster, kafka: KafkaBus, name: str
) -> None:
    misspelt_topic, missing = f"{name}-misspelt", f"{name}-missing"
    broker = KafkaBroker(**tutorial.broker_options(cluster), logger=None)

    @broker.subscriber(misspelt_topic, group_id=name)
    async def handle(body: str) -> None: ...

    await broker.start()
    await broker.stop()
    assert (await kafka.get_log_bounds([misspelt_topic])).end

    with pytest.raises(NotFound):
        await kafka.subscribe(RecordingConsumer().config_for(missing, name))
    with pytest.raises(NotFound):
        await kafka.get_log_bounds([missing])


async def test_producer_is_idempotent_unlike_the_default(
    kafka: KafkaBus, single_topic: str
) -> None:
    defaults = inspect.signature(AIOKafkaProducer).parameters
    assert defaults["enable_idempotence"].default is False
    assert not isinstance(defaults["acks"].default, str | int), "unset, which means 1"

    await kafka.send(make_records(single_topic, 1))
    producer = kafka._sender._producer
    assert producer is not None
    assert producer._sender._acks == -1
    assert producer._txn_manager is not None
    assert producer._txn_manager.transactional_id is None, "no transactions: KAFKA, KIP-890"
    assert producer._compression_type == "zstd", "needs aiokafka[zstd]"


async def test_rejected_record_blocks_an_idempotent_producer(
    cluster: Cluster, kafka: KafkaBus, name: str
) -> None:
    await tutorial.make_topic(cluster, name, max_message_bytes="1000")
    producer = AIOKafkaProducer(**cluster.client_options(), enable_idempotence=True)
    await producer.start()
    incompressible = os.urandom(2000)
    await producer.send_and_wait(name, b"small")
    with pytest.raises(KafkaError):
        await producer.send_and_wait(name, incompressible)
    for _ in range(2):
        with pytest.raises(OutOfOrderSequenceNumber):
            await producer.send_and_wait(name, b"small")
    await producer.stop()

    await kafka.send([OutgoingRecord(name, b"k", b"small")])
    with pytest.raises(Transient):
        await kafka.send([OutgoingRecord(name, b"k", incompressible)])
    await kafka.send([OutgoingRecord(name, b"k", b"small")])
    assert sum((await kafka.get_log_bounds([name])).end.values()) == 3


async def test_hanging_broker_makes_send_raise_transient(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An idempotent producer retries without limit. Ours raises `Transient`.

    The same list, sent again until it is accepted, is stored in order, possibly with duplicates.
    """
    monkeypatch.setattr(sender, "SEND_TIMEOUT_SECONDS", 1.0)
    monkeypatch.setattr(sender, "REQUEST_TIMEOUT_SECONDS", 1.0)
    stack = Stack(tmp_path / "home", server_names=frozenset({"kafka"}), fast=True)
    async with stack as addresses:
        bus = KafkaBus(addresses.cluster(), client_id="hang")
        await bus.ensure_topics([Topic("t", 1)])
        await bus.send(make_records("t", 10, key="k"))
        java = _child_of(stack._servers["kafka"].pid)
        os.kill(java, signal.SIGSTOP)
        try:
            for _ in range(2):
                with pytest.raises(Transient):
                    await bus.send(make_records("t", 10, key="k", first=10))
        finally:
            os.kill(java, signal.SIGCONT)
        await _send_until_accepted(bus)
        consumer = RecordingConsumer()
        await bus.subscribe(consumer.config_for("t", "g"))
        await wait_until(lambda: b"19" in consumer.values)
        first_seen = list(dict.fromkeys(consumer.values))
        assert first_seen == [str(number).encode() for number in range(20)]
        await bus.close()


async def _send_until_accepted(bus: KafkaBus) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                return await bus.send(make_records("t", 10, key="k", first=10))
            except Transient:
                await asyncio.sleep(0.1)


def _child_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


async def test_unreachable_broker_is_transient(name: str) -> None:
    bus = KafkaBus(Cluster("127.0.0.1:9"), client_id="nobody")
    for call in (
        bus.send(make_records(name, 1)),
        bus.get_log_bounds([name]),
        bus.ensure_topics([Topic(name)]),
        bus.subscribe(RecordingConsumer().config_for(name, name)),
    ):
        with pytest.raises(Transient):
            await call
    await bus.close()
