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
from shared.kit.inbox import preparation as preparing
from shared.kit.inbox.consumer import BatchConsumer
from tests.support.inbox_harness import EFFECTS, PARTITIONS, TOPIC, InboxHarness

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
OPEN = """
    SELECT count(*) AS open FROM pg_stat_activity
    WHERE application_name = 'preau-community' AND xact_start IS NOT NULL
"""


@dataclass
class Shouting:
    """Dependencies of a reaction that writes each reason in capitals."""

    probe: InboxHarness
    slices: list[list[str]] = field(default_factory=list)
    open_transactions: int = 0
    away: bool = False


async def shout(deps: Shouting, deliveries: Sequence[Delivery[MemberSuspended]]) -> list[str]:
    reasons = [delivery.fact.reason for delivery in deliveries]
    deps.slices.append(reasons)
    (row,) = await deps.probe.query(OPEN)
    deps.open_transactions += row["open"]
    if deps.away:
        raise ConnectionError("a worker went away")
    if "endless" in reasons:
        await asyncio.sleep(60)
    for reason in reasons:
        if reason.startswith("poison") and not deps.probe.fixed:
            raise RuntimeError("cannot digest")
        if reason == "invalid":
            raise Invalid(field="reason")
    return [] if "lost" in reasons else [reason.upper() for reason in reasons]


async def write_it(
    deps: Shouting, unit: Unit, prepared: Sequence[PreparedDelivery[MemberSuspended, str]]
) -> None:
    for item in prepared:
        values: dict[str, Any] = {"tenant": item.delivery.tenant, "key": item.delivery.key}
        await connection(unit).execute(EFFECTS, {**values, "words": item.value})
        if item.value == "EFFECT" and not deps.probe.fixed:
            raise RuntimeError("the effect fails")


def shouting(probe: InboxHarness) -> tuple[Shouting, BatchConsumer]:
    deps = Shouting(probe)
    reader = probe.consumer()
    reader.reactions = [PreparedReaction(shout, write_it, on=(MemberSuspended,)).bind(deps)]
    return deps, reader


async def test_values_are_prepared_without_an_open_transaction(
    probe: InboxHarness,
) -> None:
    deps, reader = shouting(probe)
    for number in range(40):
        probe.publish(f"n° {number}", member=number)

    found = await probe.consume_all(reader)

    assert sorted(await probe.effects()) == sorted(f"N° {number}" for number in range(40))
    assert (found.applied, deps.open_transactions) == (40, 0)
    assert [len(each) for each in deps.slices] == [8, 16, 16]


async def test_failed_preparation_parks_the_event_and_blocks_its_key(probe: InboxHarness) -> None:
    _, reader = shouting(probe)
    for words, who in (("avant", 1), ("poison", 2), ("derrière", 2), ("après", 3)):
        probe.publish(words, member=who)

    found = await probe.consume_all(reader)

    assert sorted(await probe.effects()) == ["APRÈS", "AVANT"]
    assert (found.applied, found.parked, found.lag) == (2, 2, 0)


async def test_invalid_event_in_preparation_is_dead_lettered_at_once(probe: InboxHarness) -> None:
    _, reader = shouting(probe)
    probe.publish("invalid")

    assert (await probe.consume_all(reader)).dead_lettered == 1


async def test_retried_event_is_prepared_without_an_open_transaction(
    probe: InboxHarness,
) -> None:
    deps, reader = shouting(probe)
    for words in ("poison", "derrière"):
        probe.publish(words)
    await probe.consume_all(reader)
    await probe.retry_parked(reader)
    probe.fixed = True

    found = await probe.retry_parked(reader)

    assert await probe.effects() == ["POISON", "DERRIÈRE"]
    assert (found.applied, found.parked, deps.open_transactions) == (2, 0, 0)


async def test_isolated_events_are_not_prepared_again(probe: InboxHarness) -> None:
    deps, reader = shouting(probe)
    for words, who in (("avant", 1), ("effect", 2)):
        probe.publish(words, member=who)

    found = await probe.consume_all(reader)

    assert (found.applied, found.parked) == (1, 1)
    assert len(deps.slices) == 1
    assert set(deps.slices[0]) == {"avant", "effect"}


async def test_a_transient_failure_makes_the_whole_batch_wait(probe: InboxHarness) -> None:
    deps, reader = shouting(probe)
    deps.away = True
    probe.publish("attend")
    starts = await reader.on_assigned([Partition(TOPIC, n) for n in range(PARTITIONS)])
    batch = await probe.fetch_from(starts)

    with pytest.raises(Redeliver):
        await reader.handle(batch)

    deps.away = False
    await reader.handle(batch)
    assert await probe.effects() == ["ATTEND"]


async def test_slow_preparation_cuts_the_batch(
    probe: InboxHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing, "MAX_SECONDS", -1.0)
    _, reader = shouting(probe)
    for number in range(40):
        probe.publish(f"n° {number}")
    starts = await reader.on_assigned([Partition(TOPIC, n) for n in range(PARTITIONS)])

    first = await reader.handle(await probe.fetch_from(starts))
    rest = await reader.handle(await probe.fetch_from({**starts, **first}))

    assert len(await probe.effects()) == 24
    assert [max(first.values()), max(rest.values())] == [8, 24]


async def test_event_that_exceeds_the_preparation_timeout_is_parked(
    probe: InboxHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing, "SLICE_SECONDS", 0.2)
    deps, reader = shouting(probe)
    for who, words in enumerate(("a", "b", "endless", "c"), start=1):
        probe.publish(words, member=who)

    found = await probe.consume_all(reader)

    assert sorted(await probe.effects()) == ["A", "B", "C"]
    assert (found.applied, found.parked) == (3, 1)
    assert [len(each) for each in deps.slices][:2] == [4, 1]


async def test_preparation_with_too_few_values_fails_its_event_only(probe: InboxHarness) -> None:
    _, reader = shouting(probe)
    for words, who in (("avant", 1), ("lost", 2)):
        probe.publish(words, member=who)

    found = await probe.consume_all(reader)

    assert (found.applied, found.parked) == (1, 1)
    (letter,) = await probe.list_dead_letters(everything=True)
    assert letter.cause == "WrongNumber: write_it: 0 values of 1 deliveries"


async def test_records_before_the_expected_position_are_not_prepared(probe: InboxHarness) -> None:
    deps, reader = shouting(probe)
    probe.publish("une fois")
    starts = await reader.on_assigned([Partition(TOPIC, n) for n in range(PARTITIONS)])
    batch = await probe.fetch_from(starts)
    await reader.handle(batch)

    await reader.handle(batch)

    assert deps.slices == [["une fois"]]


def test_a_reaction_is_named_by_its_effect(probe: InboxHarness) -> None:
    _, reader = shouting(probe)
    assert [each.name for each in reader.reactions] == ["write_it"]
    assert issubclass(reader.reactions[0].on[0], Fact)
