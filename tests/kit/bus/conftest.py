"""The bodies of the bus, for one suite: memory always, Kafka where `-m system` is asked for."""

from collections.abc import AsyncIterator, Callable
from itertools import count
from uuid import uuid4

import pytest

from deploy.local.stack import Addresses
from shared.kit.bus.kafka import KafkaBus
from shared.kit.bus.memory import MemoryBus
from shared.kit.bus.port import Bus, Topic

_numbers = count()


@pytest.fixture
def kafka_bus(stack_addresses: Addresses) -> Callable[[], Bus]:
    """Make a bus on the session's broker."""
    return lambda: KafkaBus(stack_addresses.kafka, client_id="suite")


@pytest.fixture
def name() -> str:
    """A name for topic and group that no other test and no earlier run has."""
    return f"bus-{uuid4().hex[:8]}-{next(_numbers)}"


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.system)])
async def bus(request: pytest.FixtureRequest) -> AsyncIterator[Bus]:
    """One body after the other."""
    body: Bus
    if request.param == "memory":
        body = MemoryBus()
    else:
        body = request.getfixturevalue("kafka_bus")()
    yield body
    await body.close()


@pytest.fixture
async def topic(bus: Bus, name: str) -> str:
    """A topic of four partitions on the body under test."""
    await bus.ensure([Topic(name, 4)])
    return name
