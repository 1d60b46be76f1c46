"""Retries of parked events that fail with transient errors, or are too slow."""

import asyncio
from contextlib import suppress

import pytest

from shared.kit.core.errors import Transient
from shared.kit.inbox.retry import ParkedEventRetrier
from tests.support.failing_effects import (
    RETRY_LIMITS,
    FailingEffect,
    UnavailableDatabase,
    cancel_process,
    exceed_hold_time,
    park_all,
    publish_in_one_partition,
    raise_connection_error,
)
from tests.support.inbox_harness import InboxHarness, members_in_partition

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


async def test_transient_failure_of_a_retry_does_not_block_other_keys(
    harness: InboxHarness,
) -> None:
    failing_effect = FailingEffect(harness, raise_connection_error)
    consumer = failing_effect.make_consumer()
    failing_effect.harness.retry_policy = consumer.retry_policy
    first, second = members_in_partition(0, 2)
    harness.publish("trouble", member=first)
    harness.publish("b", member=second)
    await park_all(harness, failing_effect)

    assert await ParkedEventRetrier(consumer).retry_due() == 1
    assert [row["tries"] for row in await harness.query("SELECT tries FROM parked")] == [1]


async def test_retries_that_never_end_finally_dead_letter_the_event(
    harness: InboxHarness,
) -> None:
    failing_effect = FailingEffect(harness, cancel_process)
    publish_in_one_partition(harness, ["trouble"])
    await park_all(harness, failing_effect)

    for _ in range(40):
        harness.clock.advance(minutes=15)
        with suppress(asyncio.CancelledError):
            await ParkedEventRetrier(failing_effect.make_consumer()).retry_due()

    (letter,) = await harness.list_dead_letters()
    assert letter.state == "dead"
    assert (
        failing_effect.attempts["trouble"]
        <= harness.retry_policy.max_attempts * RETRY_LIMITS.max_attempts
    )


async def test_restarted_process_does_not_retry_the_fatal_event_first(
    harness: InboxHarness,
) -> None:
    failing_effect = FailingEffect(harness, cancel_process)
    publish_in_one_partition(harness, ["trouble"])
    await park_all(harness, failing_effect)
    harness.clock.advance(minutes=15)
    with suppress(asyncio.CancelledError):
        await ParkedEventRetrier(failing_effect.make_consumer()).retry_due()

    assert await ParkedEventRetrier(failing_effect.make_consumer()).retry_due() == 0
    assert failing_effect.attempts["trouble"] == 1


async def test_slow_retry_counts_as_a_failed_attempt(harness: InboxHarness) -> None:
    failing_effect = FailingEffect(harness, exceed_hold_time)
    publish_in_one_partition(harness, ["trouble"])
    await park_all(harness, failing_effect)

    for _ in range(harness.retry_policy.max_attempts):
        harness.clock.advance(minutes=15)
        await ParkedEventRetrier(failing_effect.make_consumer()).retry_due()

    assert [letter.state for letter in await harness.list_dead_letters()] == ["dead"]
    assert failing_effect.attempts["trouble"] == harness.retry_policy.max_attempts - 1


async def test_retry_during_an_outage_raises_and_counts_nothing(harness: InboxHarness) -> None:
    failing_effect = FailingEffect(harness, raise_connection_error)
    publish_in_one_partition(harness, ["trouble"])
    await park_all(harness, failing_effect)
    harness.clock.advance(minutes=15)
    consumer = failing_effect.make_consumer()
    consumer.database = UnavailableDatabase(consumer.database)  # type: ignore[assignment]  # as above

    with pytest.raises(Transient):
        await ParkedEventRetrier(consumer).retry_due()

    rows = await harness.query("SELECT tries, attempts FROM parked")
    assert [(row["tries"], row["attempts"]) for row in rows] == [(0, 1)]
