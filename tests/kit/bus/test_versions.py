"""Two versions of one event through outbox, relay and log, with a group for each version."""

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
EVENTS_IN_V1, EVENTS = 100, 300
RECORDS = EVENTS_IN_V1 + 2 * (EVENTS - EVENTS_IN_V1)
_APPLIED_WORDS = """
    SELECT array_agg(words ORDER BY nth) AS words FROM effects
    GROUP BY key, position('|' IN words) > 0
"""


@asynccontextmanager
async def run_relay_and_groups(
    versioned_service: VersionedService, frame: Frame
) -> AsyncIterator[list[BatchConsumer]]:
    """Run the relay, and a consumer group for each version."""
    stop, outbox_changed = asyncio.Event(), versioned_service.database.outbox_changed
    relay = Relay(
        "community",
        frame.url("relay"),
        versioned_service.bus,
        outbox_changed,
        NoTelemetry(),
        max_batch_events=7,
    )
    task = asyncio.create_task(relay.run(stop))
    groups = [
        replace(versioned_service.consumer(version), group=f"{version.__name__}-{uuid7()}")
        for version in (LineSaidV1, LineSaid)
    ]
    subscriptions = [
        await versioned_service.bus.subscribe(SubscriptionConfig(g.group, g.topics, g))
        for g in groups
    ]
    try:
        yield groups
    finally:
        for subscription in subscriptions:
            await subscription.stop()
        stop.set()
        await asyncio.wait_for(task, 20)


async def wait_for_counts(bus: Bus, group: BatchConsumer) -> GroupCounts:
    async with asyncio.timeout(60):
        while True:
            counts = await count_outcomes(group, bus)
            if counts.published == RECORDS and not counts.lag:
                return counts
            await asyncio.sleep(0.1)


async def test_each_group_applies_every_event_once_in_order(
    bus: Bus, versioned_service: VersionedService, frame: Frame
) -> None:
    versioned_service.bus = bus
    await bus.ensure_topics([Topic(TOPIC, 2)])
    async with run_relay_and_groups(versioned_service, frame) as groups:
        for number in range(EVENTS):
            make_line = line_said_v1 if number < EVENTS_IN_V1 else line_said
            async with versioned_service.database.unit(make_caller()) as unit:
                unit.record(make_line(f"n° {number}", number % 3 + 1))
        counts_of_groups = [await wait_for_counts(bus, group) for group in groups]

    for counts in counts_of_groups:
        assert (counts.applied, counts.ignored, counts.duplicate) == (
            EVENTS,
            EVENTS - EVENTS_IN_V1,
            0,
        )
    applied_numbers = [
        [int(words[3:]) for words in row["words"]]
        for row in await versioned_service.query(_APPLIED_WORDS)
    ]
    assert sorted(applied_numbers) == sorted([list(range(key, EVENTS, 3)) for key in range(3)] * 2)
