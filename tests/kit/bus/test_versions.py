"""Two versions of one fact, all the way: outbox, relay, log, and a group for each version."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from uuid_utils.compat import uuid7

from shared.kit.core.bus import Bus, SubscriptionConfig, Topic
from shared.kit.inbox.consumer import BatchConsumer
from shared.kit.inbox.report import GroupCounts, count_outcomes
from shared.kit.relay.relay import Relay
from shared.kit.telemetry.noop import NoTelemetry
from tests.kit.conftest import Frame
from tests.support.inbox_harness import make_caller
from tests.support.versioned_event import (
    TOPIC,
    LineSaid,
    LineSaidV1,
    VersionedService,
    line_said,
    line_said_v1,
)

pytestmark = [pytest.mark.asyncio, pytest.mark.allow_hosts(["127.0.0.1"])]
ALONE, TOLD = 100, 300
RECORDS = ALONE + 2 * (TOLD - ALONE)
_HEARD = """
    SELECT array_agg(words ORDER BY nth) AS words FROM effects
    GROUP BY key, position('|' IN words) > 0
"""


@asynccontextmanager
async def alive(stage: VersionedService, frame: Frame) -> AsyncIterator[list[BatchConsumer]]:
    """Relay what is written, to a group for each version."""
    stop, written = asyncio.Event(), stage.database.outbox_changed
    relay = Relay(
        "community", frame.url("relay"), stage.bus, written, NoTelemetry(), max_batch_events=7
    )
    task = asyncio.create_task(relay.run(stop))
    groups = [
        replace(stage.consumer(each), group=f"{each.__name__}-{uuid7()}")
        for each in (LineSaidV1, LineSaid)
    ]
    readings = [await stage.bus.subscribe(SubscriptionConfig(g.group, g.topics, g)) for g in groups]
    try:
        yield groups
    finally:
        for reading in readings:
            await reading.stop()
        stop.set()
        await asyncio.wait_for(task, 20)


async def all_read(bus: Bus, group: BatchConsumer) -> GroupCounts:
    async with asyncio.timeout(60):
        while True:
            found = await count_outcomes(group, bus)
            if found.published == RECORDS and not found.lag:
                return found
            await asyncio.sleep(0.1)


async def test_each_group_has_every_event_once_and_in_order(
    bus: Bus, stage: VersionedService, frame: Frame
) -> None:
    stage.bus = bus
    await bus.ensure_topics([Topic(TOPIC, 2)])
    async with alive(stage, frame) as groups:
        for number in range(TOLD):
            told = line_said_v1 if number < ALONE else line_said
            async with stage.database.unit(make_caller()) as unit:
                unit.record(told(f"n° {number}", number % 3 + 1))
        found = [await all_read(bus, group) for group in groups]

    for each in found:
        assert (each.applied, each.ignored, each.duplicate) == (TOLD, TOLD - ALONE, 0)
    heard = [[int(words[3:]) for words in row["words"]] for row in await stage.query(_HEARD)]
    assert sorted(heard) == sorted([list(range(key, TOLD, 3)) for key in range(3)] * 2)
