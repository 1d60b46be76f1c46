"""The bodies of the bus, for one suite: memory always, Kafka where `-m system` is asked for."""

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
    """A real broker: the one that PREAU_TEST_KAFKA names, without users, else the stack's."""
    named = os.environ.get("PREAU_TEST_KAFKA")
    if named:
        return Cluster(named)
    addresses: StackAddresses = request.getfixturevalue("stack_addresses")
    return addresses.cluster()


@pytest.fixture
def kafka_bus(cluster: Cluster) -> Callable[[], KafkaBus]:
    """Make a bus on the session's broker."""
    return lambda: KafkaBus(cluster, client_id="suite")


@pytest.fixture
def name() -> str:
    """A name for topic and group that no other test and no earlier run has."""
    return f"bus-{uuid4().hex[:8]}-{next(_numbers)}"


@pytest.fixture
async def ours(kafka_bus: Callable[[], KafkaBus]) -> AsyncIterator[KafkaBus]:
    """The bus on the session's broker."""
    bus = kafka_bus()
    yield bus
    await bus.close()


@pytest.fixture
async def single(ours: KafkaBus, name: str) -> str:
    """A topic of one partition, so that order and offsets are plain."""
    await ours.ensure_topics([Topic(name, 1)])
    return name


ON_KAFKA = (pytest.mark.system, pytest.mark.allow_hosts(["127.0.0.1"]))


@pytest.fixture(params=["memory", pytest.param("kafka", marks=ON_KAFKA)])
async def bus(request: pytest.FixtureRequest) -> AsyncIterator[Bus]:
    """One body after the other."""
    body: Bus = MemoryBus() if request.param == "memory" else request.getfixturevalue("kafka_bus")()
    yield body
    await body.close()


@pytest.fixture
async def topic(bus: Bus, name: str) -> str:
    """A topic of four partitions on the body under test."""
    await bus.ensure_topics([Topic(name, 4)])
    return name
