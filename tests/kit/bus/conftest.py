"""The implementations of the bus for one suite: memory always, Kafka with `-m system`."""

import os
from collections.abc import AsyncIterator, Callable
from itertools import count
from uuid import uuid4

import pytest

from deploy.local.stack import StackAddresses
from shared.kit.bus.kafka import Cluster, KafkaBus
from shared.kit.bus.memory.bus import MemoryBus
from shared.kit.core.bus import Bus, Topic

_numbers = count()


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """A real broker: that of PREAU_TEST_KAFKA (without users), else that of the local stack."""
    address = os.environ.get("PREAU_TEST_KAFKA")
    if address:
        return Cluster(address)
    addresses: StackAddresses = request.getfixturevalue("stack_addresses")
    return addresses.cluster()


@pytest.fixture
def kafka_bus(cluster: Cluster) -> Callable[[], KafkaBus]:
    """A factory of buses on the session's broker."""
    return lambda: KafkaBus(cluster, client_id="suite")


@pytest.fixture
def name() -> str:
    """A unique name for a topic and a group."""
    return f"bus-{uuid4().hex[:8]}-{next(_numbers)}"


@pytest.fixture
async def kafka(kafka_bus: Callable[[], KafkaBus]) -> AsyncIterator[KafkaBus]:
    """A bus on the session's broker."""
    bus = kafka_bus()
    yield bus
    await bus.close()


@pytest.fixture
async def single_topic(kafka: KafkaBus, name: str) -> str:
    """A topic with one partition, so that order and offsets are predictable."""
    await kafka.ensure_topics([Topic(name, 1)])
    return name


ON_KAFKA = (pytest.mark.system, pytest.mark.allow_hosts(["127.0.0.1"]))


@pytest.fixture(params=["memory", pytest.param("kafka", marks=ON_KAFKA)])
async def bus(request: pytest.FixtureRequest) -> AsyncIterator[Bus]:
    """Each implementation in turn."""
    tested_bus: Bus = (
        MemoryBus() if request.param == "memory" else request.getfixturevalue("kafka_bus")()
    )
    yield tested_bus
    await tested_bus.close()


@pytest.fixture
async def topic(bus: Bus, name: str) -> str:
    """A topic with four partitions on the implementation under test."""
    await bus.ensure_topics([Topic(name, 4)])
    return name
