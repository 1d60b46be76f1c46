"""No event blocks a process: each reaction of each service gets the largest possible events.

Times are processor time of the event loop's thread, independent of the load of the machine: while
this thread computes, no request can be answered.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module

import pytest

from deploy.local.stack import StackAddresses
from shared.contracts.catalogue import PUBLISHERS
from shared.contracts.event import Fact, encode_data
from shared.kit.core.clock import utc_now
from shared.kit.inbox.consumer import BatchConsumer
from tests.reactions.harness import ReactionHarness, open_reaction_harness
from tests.reactions.worst_events import worst_events

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
MAX_STALL_SECONDS = 0.5
"""Of the event loop: `/health/live` is answered within this time, under any load."""
MAX_TRANSACTION_SECONDS = 0.5
"""Processor time of this process in one transaction; PostgreSQL aborts it after five seconds."""
SMALL = frozenset(
    {
        "identity.member.reinstated.v1",
        "identity.role.granted.v1",
        "identity.role.revoked.v1",
        "identity.session.ended.v1",
        "metrics.alert.raised.v1",
        "metrics.alert.closed.v1",
        "notifications.notification.read.v1",
    }
)
"""Wire types in which nothing can be large: ids, moments, numbers and closed lists only."""


@pytest.mark.system
@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", list(PUBLISHERS))
async def test_no_reaction_holds_the_loop_or_its_transaction(
    name: str, postgres_addresses: StackAddresses
) -> None:
    async with open_reaction_harness(name, postgres_addresses) as service:
        readers = list(_consumers(service))
        facts = {reader.group: _facts(reader) for reader in readers}
        for reader in readers:
            kinds = facts[reader.group]
            examples = [kind.example() for kind in kinds]
            became = await service.react(*examples, reader=reader)
            assert became.total() == len(examples)
            for kind in kinds:
                worst = worst_events(kind)
                service.transaction_seconds.clear()
                async with measure_stalls() as longest:
                    became = await service.react(*worst, reader=reader)
                assert became.total() == len(worst), (kind.wire_type(), became)
                assert max(longest) < MAX_STALL_SECONDS, kind.wire_type()
                assert max(service.transaction_seconds) < MAX_TRANSACTION_SECONDS, kind.wire_type()


@pytest.mark.parametrize("name", list(PUBLISHERS))
def test_each_fact_of_each_reaction_has_a_worst_event(name: str) -> None:
    events = import_module(f"services.{name}.events")
    reactions = (*events.CONSUMES, *getattr(events, "REPLAY_ONLY", ()))
    kinds = {kind for reaction in reactions for kind in reaction.on}
    small = {
        kind.wire_type()
        for kind in kinds
        if all(
            len(encode_data(worst)) <= len(encode_data(kind.example()))
            for worst in worst_events(kind)
        )
    }
    assert small == {kind.wire_type() for kind in kinds} & SMALL


async def test_stall_is_measured() -> None:
    async with measure_stalls() as longest:
        await asyncio.sleep(0.02)
        until = time.thread_time() + MAX_STALL_SECONDS
        while time.thread_time() < until:
            sum(range(1000))
        await asyncio.sleep(0.02)
    assert max(longest) >= MAX_STALL_SECONDS


@asynccontextmanager
async def measure_stalls() -> AsyncIterator[list[float]]:
    """Collect how long this thread computes between two iterations of the event loop."""
    stall_seconds = [0.0]

    async def measure() -> None:
        while True:
            started_at = time.thread_time()
            await asyncio.sleep(0)
            stall_seconds.append(time.thread_time() - started_at)
            started_at = time.thread_time()
            await asyncio.sleep(0.002)
            stall_seconds.append(time.thread_time() - started_at)
            stall_seconds[:] = [max(stall_seconds)]

    measuring = asyncio.create_task(measure())
    await asyncio.sleep(0.01)
    yield stall_seconds
    await asyncio.sleep(0.01)
    measuring.cancel()


def _consumers(service: ReactionHarness) -> list[BatchConsumer]:
    """Return the service's consumer, and one for the events that only a replay reads."""
    consumers = [service.service.consumer] if service.service.consumer else []
    if service.service.replay_only_reactions:
        own = BatchConsumer(
            f"{service.service.name}.own",
            service.service.database,
            service.service.replay_only_reactions,
            service.bus,
            utc_now,
            service.outcomes,
        )
        consumers.append(own)
    return consumers


def _facts(reader: BatchConsumer) -> list[type[Fact]]:
    kinds = {kind for reaction in reader.reactions for kind in reaction.on}
    return sorted(kinds, key=lambda kind: (not kind.TOPIC.startswith("identity"), kind.WIRE))
