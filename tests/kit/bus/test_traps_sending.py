"""Traps of topics and of the producer."""

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
from tests.support import tutorial_consumers as naive
from tests.support.consumers import RecordingConsumer, make_records, wait_until

pytestmark = [*ON_KAFKA]


async def test_reading_creates_topics_although_the_broker_forbids_it(
    cluster: Cluster, ours: KafkaBus, name: str
) -> None:
    misspelt, missing = f"{name}-misspelt", f"{name}-missing"
    broker = KafkaBroker(**naive.broker_options(cluster), logger=None)

    @broker.subscriber(misspelt, group_id=name)
    async def handle(body: str) -> None: ...

    await broker.start()
    await broker.stop()
    assert (await ours.get_log_bounds([misspelt])).end

    with pytest.raises(NotFound):
        await ours.subscribe(RecordingConsumer().config_for(missing, name))
    with pytest.raises(NotFound):
        await ours.get_log_bounds([missing])


async def test_the_producer_promises_nothing_by_default(ours: KafkaBus, single: str) -> None:
    defaults = inspect.signature(AIOKafkaProducer).parameters
    assert defaults["enable_idempotence"].default is False
    assert not isinstance(defaults["acks"].default, str | int), "unset, which means 1"

    await ours.send(make_records(single, 1))
    producer = ours._sender._producer
    assert producer is not None
    assert producer._sender._acks == -1
    assert producer._txn_manager is not None
    assert producer._txn_manager.transactional_id is None, "no transactions: KAFKA, KIP-890"
    assert producer._compression_type == "zstd", "needs aiokafka[zstd]"


async def test_one_refused_record_blocks_an_idempotent_producer_for_ever(
    cluster: Cluster, ours: KafkaBus, name: str
) -> None:
    await naive.make_topic(cluster, name, max_message_bytes="1000")
    producer = AIOKafkaProducer(**cluster.client_options(), enable_idempotence=True)
    await producer.start()
    noise = os.urandom(2000)
    await producer.send_and_wait(name, b"small")
    with pytest.raises(KafkaError):
        await producer.send_and_wait(name, noise)
    for _ in range(2):
        with pytest.raises(OutOfOrderSequenceNumber):
            await producer.send_and_wait(name, b"small")
    await producer.stop()

    await ours.send([OutgoingRecord(name, b"k", b"small")])
    with pytest.raises(Transient):
        await ours.send([OutgoingRecord(name, b"k", noise)])
    await ours.send([OutgoingRecord(name, b"k", b"small")])
    assert sum((await ours.get_log_bounds([name])).end.values()) == 3


async def test_a_broker_that_hangs_holds_nobody_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An idempotent producer tries without limit. Ours says `Transient`.

    The same list, sent again until it is taken, is there in order; some of it may be there twice.
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
        await _sent(bus)
        reader = RecordingConsumer()
        await bus.subscribe(reader.config_for("t", "g"))
        await wait_until(lambda: b"19" in reader.values)
        first_seen = list(dict.fromkeys(reader.values))
        assert first_seen == [str(number).encode() for number in range(20)]
        await bus.close()


async def _sent(bus: KafkaBus) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                return await bus.send(make_records("t", 10, key="k", first=10))
            except Transient:
                await asyncio.sleep(0.1)


def _child_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


async def test_no_broker_is_transient(name: str) -> None:
    bus = KafkaBus(Cluster("127.0.0.1:9"), client_id="nobody")
    for asked in (
        bus.send(make_records(name, 1)),
        bus.get_log_bounds([name]),
        bus.ensure_topics([Topic(name)]),
        bus.subscribe(RecordingConsumer().config_for(name, name)),
    ):
        with pytest.raises(Transient):
            await asked
    await bus.close()
