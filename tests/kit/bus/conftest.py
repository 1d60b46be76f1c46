"""The bodies of the bus, for one suite: memory always, Kafka where `-m system` is asked for."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import count
from uuid import uuid4

import pytest

from shared.kit.bus.memory import MemoryBus
from shared.kit.bus.port import Bus, Topic

_numbers = count()


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
