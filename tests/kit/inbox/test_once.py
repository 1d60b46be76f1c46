"""Every event has its effect once, and the ledger counts it once."""

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


async def test_events_of_a_key_are_applied_in_log_order(probe: InboxHarness) -> None:
    for number in range(50):
        probe.publish(f"n° {number}", member=7)

    found = await probe.consume_all()

    assert await probe.effects() == [f"n° {number}" for number in range(50)]
    assert (found.published, found.applied, found.lag) == (50, 50, 0)


async def test_an_event_twice_within_one_batch_is_applied_once(probe: InboxHarness) -> None:
    once = probe.publish("Zoé 🙂")
    probe.publish("Zoé 🙂", event_id=once)

    found = await probe.consume_all()

    assert await probe.effects() == ["Zoé 🙂"]
    assert (found.applied, found.duplicate) == (1, 1)


async def test_an_event_again_in_a_later_batch_is_applied_once(probe: InboxHarness) -> None:
    once = probe.publish("une fois")
    await probe.consume_all()
    probe.publish("une fois", event_id=once)

    found = await probe.consume_all()

    assert await probe.effects() == ["une fois"]
    assert (found.applied, found.duplicate) == (1, 1)


async def test_a_batch_delivered_twice_is_applied_once(probe: InboxHarness) -> None:
    probe.publish("a")
    probe.publish("b", member=2)
    reader = probe.consumer()
    batch = await probe.fetch_from(await _assigned(probe, reader))

    first = await reader.handle(batch)

    assert await reader.handle(batch) == first
    assert sorted(await probe.effects()) == ["a", "b"]
    assert (await probe.check_counts(reader)).duplicate == 0


async def test_late_batch_of_a_fenced_consumer_changes_nothing(
    probe: InboxHarness,
) -> None:
    zombie, heir = probe.consumer(), probe.consumer()
    starts = await _assigned(probe, zombie)
    probe.publish("answer")
    late = await probe.fetch_from(starts)
    assert (await probe.consume_all(heir)).applied == 1, await probe.query("SELECT * FROM parked")
    probe.publish("plus tard")
    late = await probe.fetch_from(starts)

    answer = await zombie.handle(late)

    assert await probe.effects() == ["answer"]
    assert len(await probe.outbox()) == 1
    assert set(answer.values()) == {1}
    found = await probe.check_counts(zombie)
    assert (found.applied, found.lag) == (1, 1)


async def test_concurrent_consumers_apply_a_batch_once(probe: InboxHarness) -> None:
    for number in range(20):
        probe.publish(f"{number}", member=number)
    twins = [probe.consumer(), probe.consumer()]
    batch = await probe.fetch_from(await _assigned(probe, twins[0]))
    await _assigned(probe, twins[1])

    answers = await asyncio.gather(*(twin.handle(batch) for twin in twins))

    assert answers[0] == answers[1]
    assert len(await probe.effects()) == 20
    assert (await probe.check_counts(twins[0])).applied == 20


async def test_lost_connection_rolls_back_and_redelivers_the_batch(
    probe: InboxHarness,
) -> None:
    probe.publish("answer")
    probe.connection_losses = 1
    reader = probe.consumer()
    batch = await probe.fetch_from(await _assigned(probe, reader))

    with pytest.raises(Redeliver):
        await reader.handle(batch)

    assert (await probe.check_counts(reader)).lag == 1
    assert await probe.effects() == []
    await reader.handle(batch)
    assert await probe.effects() == ["answer"]
    assert len(await probe.outbox()) == 1


class Counting(NoTelemetry):
    """Keeps what is counted."""

    def __init__(self) -> None:
        self.told: Counter[tuple[str, str]] = Counter()

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        self.told[name, labels.get("outcome", "")] += int(amount)


async def test_outcomes_and_rebalances_are_counted_in_metrics(probe: InboxHarness) -> None:
    probe.publish("un")
    probe.publish("deux")
    probe.connection_losses = 1
    reader, telemetry = probe.consumer(), Counting()
    reader.telemetry = telemetry
    batch = await probe.fetch_from(await _assigned(probe, reader))
    with pytest.raises(Redeliver):
        await reader.handle(batch)
    for _ in range(2):
        await reader.handle(batch)
    await reader.on_revoked([Partition(TOPIC, 0)])

    assert telemetry.told == {
        ("preau.consumer.outcome", "retried"): 2,
        ("preau.consumer.outcome", "applied"): 2,
        ("preau.consumer.rebalance", ""): 1,
    }


async def test_batch_that_times_out_is_applied_in_smaller_batches(probe: InboxHarness) -> None:
    for number in range(20):
        probe.publish(f"{number}", member=number)
    tried: list[int] = []

    async def hurry(unit: Unit, deliveries: Sequence[Delivery[Fact]]) -> None:
        tried.append(len(deliveries))
        if len(deliveries) > 6:
            raise TimeoutError

    reader = probe.consumer()
    reader.reactions = [BoundReaction("hurry", hurry, (MemberSuspended,))]
    starts = await _assigned(probe, reader)
    while (left := await probe.fetch_from(starts)) and len(tried) < 20:
        with suppress(Redeliver):
            starts |= await reader.handle(left)

    assert tried == [20, 10, 5, 10, 5, 10, 5, 5]
    assert (await probe.check_counts(reader)).applied == 20


async def test_position_moves_only_from_the_expected_offset(
    probe: InboxHarness,
) -> None:
    place = Partition(TOPIC, 0)
    async with probe.database.unit_for(()) as unit:
        await ledger.insert_positions(unit.connection, GROUP, {place: 5})
        assert await ledger.move_positions(
            unit.connection, GROUP, {place: ledger.PositionMove(5, 9)}
        )
        await ledger.insert_positions(unit.connection, GROUP, {place: 0})
        assert not await ledger.move_positions(
            unit.connection, GROUP, {place: ledger.PositionMove(5, 7)}
        )

        assert await ledger.get_positions(unit.connection, GROUP) == {place: 9}


async def test_batch_contains_many_tenants_and_units_are_isolated(probe: InboxHarness) -> None:
    probe.publish("Rennes", tenant=RENNES)
    probe.publish("Lyon", tenant=LYON)
    await probe.consume_all()

    async def seen(*tenants: TenantId) -> set[str]:
        async with probe.database.unit_for(tenants) as unit:
            rows = await unit.connection.exec_driver_sql("SELECT words FROM effects")
            return set(rows.scalars())

    assert await seen() == set()
    assert await seen(RENNES) == {"Rennes"}
    assert await seen(LYON, RENNES) == {"Rennes", "Lyon"}


async def _assigned(probe: InboxHarness, reader: BatchConsumer) -> dict[Partition, int]:
    return dict(await reader.on_assigned([Partition(TOPIC, n) for n in range(PARTITIONS)]))
