"""While the circuit breaker is open, its batch is retried rarely; after a resume, at once."""

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


async def open_circuit_in_partition_1(harness: InboxHarness) -> BatchConsumer:
    """Return the consumer whose batch in partition 1 opened the circuit breaker."""
    for member in members_in_partition(1, 30):
        harness.publish("poison", member=member)
    consumer = harness.consumer()
    with pytest.raises(Redeliver) as error:
        await deliver(harness, consumer)
    assert error.value.pause_seconds == STATE_POLL_SECONDS
    harness.applied_reasons.clear()
    return consumer


async def deliver(harness: InboxHarness, consumer: BatchConsumer) -> Mapping[Partition, int]:
    starts = await consumer.on_assigned([Partition(TOPIC, number) for number in (1, 2)])
    return await consumer.handle(await harness.fetch_from(starts))


async def resume_group(harness: InboxHarness, failures: int = 100) -> None:
    operator = make_caller(member_id=member_id(9))
    async with harness.database.unit(operator) as unit:
        await resume(unit, GROUP, operator, failures=failures)


async def test_opening_batch_is_not_retried_before_the_interval(harness: InboxHarness) -> None:
    consumer = await open_circuit_in_partition_1(harness)

    harness.clock.advance(seconds=RETRY_INTERVAL_SECONDS - 1)
    assert await deliver(harness, consumer) == {}
    assert harness.applied_reasons == []

    harness.clock.advance(seconds=1)
    harness.fixed = True
    assert await deliver(harness, consumer) == {Partition(TOPIC, 1): 30}


async def test_closed_circuit_breaker_ends_the_pause_at_once(harness: InboxHarness) -> None:
    consumer = await open_circuit_in_partition_1(harness)
    await resume_group(harness)

    assert await deliver(harness, consumer) == {Partition(TOPIC, 1): 30}
    assert (await harness.check_counts(consumer)).parked == 30


async def test_other_partitions_are_applied_during_the_pause(harness: InboxHarness) -> None:
    consumer = await open_circuit_in_partition_1(harness)
    harness.publish("bon", member=members_in_partition(2, 1)[0])

    assert await deliver(harness, consumer) == {Partition(TOPIC, 2): 1}
    assert harness.applied_reasons == ["bon"]


async def test_reassigned_partition_is_not_paused(harness: InboxHarness) -> None:
    consumer = await open_circuit_in_partition_1(harness)
    await consumer.on_revoked([Partition(TOPIC, 1)])
    harness.fixed = True

    assert await deliver(harness, consumer) == {Partition(TOPIC, 1): 30}


async def test_resume_makes_parked_events_due(harness: InboxHarness) -> None:
    consumer = harness.consumer()
    harness.publish("poison", member=members_in_partition(1, 1)[0])
    await deliver(harness, consumer)
    later = "SELECT FROM parked WHERE next_try > $1"
    assert len(await harness.query(later, harness.clock())) == 1

    await resume_group(harness)

    assert await harness.query(later, harness.clock()) == []
    assert len(await harness.query("SELECT FROM parked WHERE next_try = $1", harness.clock())) == 1
