"""A stopped group tries its batch seldom, and at once when somebody has lifted the halt."""

from collections.abc import Mapping

import pytest

from shared.kit.core.bus import Partition, Redeliver
from shared.kit.inbox.circuit_breaker import RETRY_INTERVAL_SECONDS, STATE_POLL_SECONDS, resume
from shared.kit.inbox.consumer import BatchConsumer
from tests.support.inbox_harness import (
    GROUP,
    TOPIC,
    InboxHarness,
    make_caller,
    member_id,
    members_in_partition,
)

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


async def stopped(probe: InboxHarness) -> BatchConsumer:
    """Return the reader whose batch stopped the group, in partition 1."""
    for who in members_in_partition(1, 30):
        probe.publish("poison", member=who)
    reader = probe.consumer()
    with pytest.raises(Redeliver) as wish:
        await hand_over(probe, reader)
    assert wish.value.pause_seconds == STATE_POLL_SECONDS
    probe.applied_reasons.clear()
    return reader


async def hand_over(probe: InboxHarness, reader: BatchConsumer) -> Mapping[Partition, int]:
    starts = await reader.on_assigned([Partition(TOPIC, number) for number in (1, 2)])
    return await reader.handle(await probe.fetch_from(starts))


async def lifted(probe: InboxHarness, failures: int = 100) -> None:
    who = make_caller(member_id=member_id(9))
    async with probe.database.unit(who) as unit:
        await resume(unit, GROUP, who, failures=failures)


async def test_opening_batch_is_not_retried_before_the_interval(probe: InboxHarness) -> None:
    reader = await stopped(probe)

    probe.clock.advance(seconds=RETRY_INTERVAL_SECONDS - 1)
    assert await hand_over(probe, reader) == {}
    assert probe.applied_reasons == []

    probe.clock.advance(seconds=1)
    probe.fixed = True
    assert await hand_over(probe, reader) == {Partition(TOPIC, 1): 30}


async def test_closed_circuit_breaker_ends_the_pause_at_once(probe: InboxHarness) -> None:
    reader = await stopped(probe)
    await lifted(probe)

    assert await hand_over(probe, reader) == {Partition(TOPIC, 1): 30}
    assert (await probe.check_counts(reader)).parked == 30


async def test_other_partitions_are_applied_during_the_pause(probe: InboxHarness) -> None:
    reader = await stopped(probe)
    probe.publish("bon", member=members_in_partition(2, 1)[0])

    assert await hand_over(probe, reader) == {Partition(TOPIC, 2): 1}
    assert probe.applied_reasons == ["bon"]


async def test_reassigned_partition_is_not_paused(probe: InboxHarness) -> None:
    reader = await stopped(probe)
    await reader.on_revoked([Partition(TOPIC, 1)])
    probe.fixed = True

    assert await hand_over(probe, reader) == {Partition(TOPIC, 1): 30}


async def test_resume_makes_parked_events_due(probe: InboxHarness) -> None:
    reader = probe.consumer()
    probe.publish("poison", member=members_in_partition(1, 1)[0])
    await hand_over(probe, reader)
    later = "SELECT FROM parked WHERE next_try > $1"
    assert len(await probe.query(later, probe.clock())) == 1

    await lifted(probe)

    assert await probe.query(later, probe.clock()) == []
    assert len(await probe.query("SELECT FROM parked WHERE next_try = $1", probe.clock())) == 1
