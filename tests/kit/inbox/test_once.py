"""Every event is applied once, and the ledger counts it once."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

import pytest

from shared.contracts.event import Fact
from shared.contracts.identity import MemberSuspended
from shared.contracts.ids import TenantId
from shared.kit.core.bus import Partition, Redeliver
from shared.kit.core.reactions import BoundReaction
from shared.kit.core.unit_of_work import Delivery, Unit
from shared.kit.inbox import ledger
from shared.kit.inbox.consumer import BatchConsumer
from shared.kit.telemetry.noop import NoTelemetry
from tests.support.inbox_harness import GROUP, LYON, PARTITIONS, RENNES, TOPIC, InboxHarness

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


async def test_events_of_a_key_are_applied_in_log_order(harness: InboxHarness) -> None:
    for number in range(50):
        harness.publish(f"n° {number}", member=7)

    counts = await harness.consume_all()

    assert await harness.effects() == [f"n° {number}" for number in range(50)]
    assert (counts.published, counts.applied, counts.lag) == (50, 50, 0)


async def test_an_event_twice_within_one_batch_is_applied_once(harness: InboxHarness) -> None:
    event_id = harness.publish("Zoé 🙂")
    harness.publish("Zoé 🙂", event_id=event_id)

    counts = await harness.consume_all()

    assert await harness.effects() == ["Zoé 🙂"]
    assert (counts.applied, counts.duplicate) == (1, 1)


async def test_an_event_again_in_a_later_batch_is_applied_once(harness: InboxHarness) -> None:
    event_id = harness.publish("une fois")
    await harness.consume_all()
    harness.publish("une fois", event_id=event_id)

    counts = await harness.consume_all()

    assert await harness.effects() == ["une fois"]
    assert (counts.applied, counts.duplicate) == (1, 1)


async def test_a_batch_delivered_twice_is_applied_once(harness: InboxHarness) -> None:
    harness.publish("a")
    harness.publish("b", member=2)
    consumer = harness.consumer()
    batch = await harness.fetch_from(await _assign_all(harness, consumer))

    first = await consumer.handle(batch)

    assert await consumer.handle(batch) == first
    assert sorted(await harness.effects()) == ["a", "b"]
    assert (await harness.check_counts(consumer)).duplicate == 0


async def test_late_batch_of_a_fenced_consumer_changes_nothing(
    harness: InboxHarness,
) -> None:
    fenced_consumer, new_consumer = harness.consumer(), harness.consumer()
    starts = await _assign_all(harness, fenced_consumer)
    harness.publish("answer")
    late_batch = await harness.fetch_from(starts)
    assert (await harness.consume_all(new_consumer)).applied == 1, await harness.query(
        "SELECT * FROM parked"
    )
    harness.publish("plus tard")
    late_batch = await harness.fetch_from(starts)

    offsets = await fenced_consumer.handle(late_batch)

    assert await harness.effects() == ["answer"]
    assert len(await harness.outbox()) == 1
    assert set(offsets.values()) == {1}
    counts = await harness.check_counts(fenced_consumer)
    assert (counts.applied, counts.lag) == (1, 1)


async def test_concurrent_consumers_apply_a_batch_once(harness: InboxHarness) -> None:
    for number in range(20):
        harness.publish(f"{number}", member=number)
    consumers = [harness.consumer(), harness.consumer()]
    batch = await harness.fetch_from(await _assign_all(harness, consumers[0]))
    await _assign_all(harness, consumers[1])

    offsets = await asyncio.gather(*(twin.handle(batch) for twin in consumers))

    assert offsets[0] == offsets[1]
    assert len(await harness.effects()) == 20
    assert (await harness.check_counts(consumers[0])).applied == 20


async def test_lost_connection_rolls_back_and_redelivers_the_batch(
    harness: InboxHarness,
) -> None:
    harness.publish("answer")
    harness.connection_losses = 1
    consumer = harness.consumer()
    batch = await harness.fetch_from(await _assign_all(harness, consumer))

    with pytest.raises(Redeliver):
        await consumer.handle(batch)

    assert (await harness.check_counts(consumer)).lag == 1
    assert await harness.effects() == []
    await consumer.handle(batch)
    assert await harness.effects() == ["answer"]
    assert len(await harness.outbox()) == 1


class CountingTelemetry(NoTelemetry):
    """Records the counters."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        self.counts[name, labels.get("outcome", "")] += int(amount)


async def test_outcomes_and_rebalances_are_counted_in_metrics(harness: InboxHarness) -> None:
    harness.publish("un")
    harness.publish("deux")
    harness.connection_losses = 1
    consumer, telemetry = harness.consumer(), CountingTelemetry()
    consumer.telemetry = telemetry
    batch = await harness.fetch_from(await _assign_all(harness, consumer))
    with pytest.raises(Redeliver):
        await consumer.handle(batch)
    for _ in range(2):
        await consumer.handle(batch)
    await consumer.on_revoked([Partition(TOPIC, 0)])

    assert telemetry.counts == {
        ("preau.consumer.outcome", "retried"): 2,
        ("preau.consumer.outcome", "applied"): 2,
        ("preau.consumer.rebalance", ""): 1,
    }


async def test_batch_that_times_out_is_applied_in_smaller_batches(harness: InboxHarness) -> None:
    for number in range(20):
        harness.publish(f"{number}", member=number)
    batch_sizes: list[int] = []

    async def fail_large_batches(unit: Unit, deliveries: Sequence[Delivery[Fact]]) -> None:
        batch_sizes.append(len(deliveries))
        if len(deliveries) > 6:
            raise TimeoutError

    consumer = harness.consumer()
    consumer.reactions = [
        BoundReaction("fail_large_batches", fail_large_batches, (MemberSuspended,))
    ]
    starts = await _assign_all(harness, consumer)
    while (batch := await harness.fetch_from(starts)) and len(batch_sizes) < 20:
        with suppress(Redeliver):
            starts |= await consumer.handle(batch)

    assert batch_sizes == [20, 10, 5, 10, 5, 10, 5, 5]
    assert (await harness.check_counts(consumer)).applied == 20


async def test_position_moves_only_from_the_expected_offset(
    harness: InboxHarness,
) -> None:
    partition = Partition(TOPIC, 0)
    async with harness.database.unit_for(()) as unit:
        await ledger.insert_positions(unit.connection, GROUP, {partition: 5})
        assert await ledger.move_positions(
            unit.connection, GROUP, {partition: ledger.PositionMove(5, 9)}
        )
        await ledger.insert_positions(unit.connection, GROUP, {partition: 0})
        assert not await ledger.move_positions(
            unit.connection, GROUP, {partition: ledger.PositionMove(5, 7)}
        )

        assert await ledger.get_positions(unit.connection, GROUP) == {partition: 9}


async def test_batch_contains_many_tenants_and_units_are_isolated(harness: InboxHarness) -> None:
    harness.publish("Rennes", tenant=RENNES)
    harness.publish("Lyon", tenant=LYON)
    await harness.consume_all()

    async def seen(*tenants: TenantId) -> set[str]:
        async with harness.database.unit_for(tenants) as unit:
            rows = await unit.connection.exec_driver_sql("SELECT words FROM effects")
            return set(rows.scalars())

    assert await seen() == set()
    assert await seen(RENNES) == {"Rennes"}
    assert await seen(LYON, RENNES) == {"Rennes", "Lyon"}


async def _assign_all(harness: InboxHarness, consumer: BatchConsumer) -> dict[Partition, int]:
    return dict(await consumer.on_assigned([Partition(TOPIC, n) for n in range(PARTITIONS)]))
