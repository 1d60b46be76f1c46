"""Prepared reactions compute before the transaction opens, on every path of the inbox."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from shared.contracts.event import Fact
from shared.contracts.identity import MemberSuspended
from shared.kit.core.bus import Partition, Redeliver
from shared.kit.core.errors import Invalid
from shared.kit.core.reactions import PreparedReaction
from shared.kit.core.unit_of_work import Delivery, PreparedDelivery, Unit
from shared.kit.database.database import connection
from shared.kit.inbox import preparation
from shared.kit.inbox.consumer import BatchConsumer
from tests.support.inbox_harness import EFFECTS, PARTITIONS, TOPIC, InboxHarness

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
OPEN_TRANSACTIONS = """
    SELECT count(*) AS open FROM pg_stat_activity
    WHERE application_name = 'preau-community' AND xact_start IS NOT NULL
"""


@dataclass
class CapitalsDeps:
    """Dependencies of a reaction that writes each reason in capitals."""

    harness: InboxHarness
    slices: list[list[str]] = field(default_factory=list)
    open_transactions: int = 0
    unavailable: bool = False


async def prepare_capitals(
    deps: CapitalsDeps, deliveries: Sequence[Delivery[MemberSuspended]]
) -> list[str]:
    reasons = [delivery.fact.reason for delivery in deliveries]
    deps.slices.append(reasons)
    (row,) = await deps.harness.query(OPEN_TRANSACTIONS)
    deps.open_transactions += row["open"]
    if deps.unavailable:
        raise ConnectionError("a worker went away")
    if "endless" in reasons:
        await asyncio.sleep(60)
    for reason in reasons:
        if reason.startswith("poison") and not deps.harness.fixed:
            raise RuntimeError("cannot digest")
        if reason == "invalid":
            raise Invalid(field="reason")
    return [] if "lost" in reasons else [reason.upper() for reason in reasons]


async def write_value(
    deps: CapitalsDeps, unit: Unit, prepared: Sequence[PreparedDelivery[MemberSuspended, str]]
) -> None:
    for item in prepared:
        values: dict[str, Any] = {"tenant": item.delivery.tenant, "key": item.delivery.key}
        await connection(unit).execute(EFFECTS, {**values, "words": item.value})
        if item.value == "EFFECT" and not deps.harness.fixed:
            raise RuntimeError("the effect fails")


def make_prepared_consumer(harness: InboxHarness) -> tuple[CapitalsDeps, BatchConsumer]:
    deps = CapitalsDeps(harness)
    consumer = harness.consumer()
    consumer.reactions = [
        PreparedReaction(prepare_capitals, write_value, on=(MemberSuspended,)).bind(deps)
    ]
    return deps, consumer


async def test_values_are_prepared_without_an_open_transaction(
    harness: InboxHarness,
) -> None:
    deps, consumer = make_prepared_consumer(harness)
    for number in range(40):
        harness.publish(f"n° {number}", member=number)

    counts = await harness.consume_all(consumer)

    assert sorted(await harness.effects()) == sorted(f"N° {number}" for number in range(40))
    assert (counts.applied, deps.open_transactions) == (40, 0)
    assert [len(prepared_slice) for prepared_slice in deps.slices] == [8, 16, 16]


async def test_failed_preparation_parks_the_event_and_blocks_its_key(harness: InboxHarness) -> None:
    _, consumer = make_prepared_consumer(harness)
    for words, member in (("avant", 1), ("poison", 2), ("derrière", 2), ("après", 3)):
        harness.publish(words, member=member)

    counts = await harness.consume_all(consumer)

    assert sorted(await harness.effects()) == ["APRÈS", "AVANT"]
    assert (counts.applied, counts.parked, counts.lag) == (2, 2, 0)


async def test_invalid_event_in_preparation_is_dead_lettered_at_once(harness: InboxHarness) -> None:
    _, consumer = make_prepared_consumer(harness)
    harness.publish("invalid")

    assert (await harness.consume_all(consumer)).dead_lettered == 1


async def test_retried_event_is_prepared_without_an_open_transaction(
    harness: InboxHarness,
) -> None:
    deps, consumer = make_prepared_consumer(harness)
    for words in ("poison", "derrière"):
        harness.publish(words)
    await harness.consume_all(consumer)
    await harness.retry_parked(consumer)
    harness.fixed = True

    counts = await harness.retry_parked(consumer)

    assert await harness.effects() == ["POISON", "DERRIÈRE"]
    assert (counts.applied, counts.parked, deps.open_transactions) == (2, 0, 0)


async def test_isolated_events_are_not_prepared_again(harness: InboxHarness) -> None:
    deps, consumer = make_prepared_consumer(harness)
    for words, member in (("avant", 1), ("effect", 2)):
        harness.publish(words, member=member)

    counts = await harness.consume_all(consumer)

    assert (counts.applied, counts.parked) == (1, 1)
    assert len(deps.slices) == 1
    assert set(deps.slices[0]) == {"avant", "effect"}


async def test_a_transient_failure_makes_the_whole_batch_wait(harness: InboxHarness) -> None:
    deps, consumer = make_prepared_consumer(harness)
    deps.unavailable = True
    harness.publish("attend")
    starts = await consumer.on_assigned([Partition(TOPIC, n) for n in range(PARTITIONS)])
    batch = await harness.fetch_from(starts)

    with pytest.raises(Redeliver):
        await consumer.handle(batch)

    deps.unavailable = False
    await consumer.handle(batch)
    assert await harness.effects() == ["ATTEND"]


async def test_slow_preparation_cuts_the_batch(
    harness: InboxHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparation, "MAX_SECONDS", -1.0)
    _, consumer = make_prepared_consumer(harness)
    for number in range(40):
        harness.publish(f"n° {number}")
    starts = await consumer.on_assigned([Partition(TOPIC, n) for n in range(PARTITIONS)])

    first = await consumer.handle(await harness.fetch_from(starts))
    remaining = await consumer.handle(await harness.fetch_from({**starts, **first}))

    assert len(await harness.effects()) == 24
    assert [max(first.values()), max(remaining.values())] == [8, 24]


async def test_event_that_exceeds_the_preparation_timeout_is_parked(
    harness: InboxHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparation, "SLICE_SECONDS", 0.2)
    deps, consumer = make_prepared_consumer(harness)
    for member, words in enumerate(("a", "b", "endless", "c"), start=1):
        harness.publish(words, member=member)

    counts = await harness.consume_all(consumer)

    assert sorted(await harness.effects()) == ["A", "B", "C"]
    assert (counts.applied, counts.parked) == (3, 1)
    assert [len(prepared_slice) for prepared_slice in deps.slices][:2] == [4, 1]


async def test_preparation_with_too_few_values_fails_its_event_only(harness: InboxHarness) -> None:
    _, consumer = make_prepared_consumer(harness)
    for words, member in (("avant", 1), ("lost", 2)):
        harness.publish(words, member=member)

    counts = await harness.consume_all(consumer)

    assert (counts.applied, counts.parked) == (1, 1)
    (letter,) = await harness.list_dead_letters(all_states=True)
    assert letter.cause == "WrongNumber: write_value: 0 values of 1 deliveries"


async def test_records_before_the_expected_position_are_not_prepared(harness: InboxHarness) -> None:
    deps, consumer = make_prepared_consumer(harness)
    harness.publish("une fois")
    starts = await consumer.on_assigned([Partition(TOPIC, n) for n in range(PARTITIONS)])
    batch = await harness.fetch_from(starts)
    await consumer.handle(batch)

    await consumer.handle(batch)

    assert deps.slices == [["une fois"]]


def test_a_reaction_is_named_by_its_effect(harness: InboxHarness) -> None:
    _, consumer = make_prepared_consumer(harness)
    assert [reaction.name for reaction in consumer.reactions] == ["write_value"]
    assert issubclass(consumer.reactions[0].on[0], Fact)
