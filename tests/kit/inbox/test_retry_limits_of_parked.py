"""Parked events that fail by what may pass, or make us too slow, when they are tried again."""

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


async def test_transient_failure_of_a_retry_does_not_block_other_keys(probe: InboxHarness) -> None:
    trouble = FailingEffect(probe, raise_connection_error)
    reader = trouble.make_consumer()
    trouble.harness.retry_policy = reader.retry_policy
    first, second = members_in_partition(0, 2)
    probe.publish("trouble", member=first)
    probe.publish("b", member=second)
    await park_all(probe, trouble)

    assert await ParkedEventRetrier(reader).retry_due() == 1
    assert [row["tries"] for row in await probe.query("SELECT tries FROM parked")] == [1]


async def test_retries_that_never_end_finally_dead_letter_the_event(
    probe: InboxHarness,
) -> None:
    trouble = FailingEffect(probe, cancel_process)
    publish_in_one_partition(probe, ["trouble"])
    await park_all(probe, trouble)

    for _ in range(40):
        probe.clock.advance(minutes=15)
        with suppress(asyncio.CancelledError):
            await ParkedEventRetrier(trouble.make_consumer()).retry_due()

    (letter,) = await probe.list_dead_letters()
    assert letter.state == "dead"
    assert (
        trouble.attempts["trouble"] <= probe.retry_policy.max_attempts * RETRY_LIMITS.max_attempts
    )


async def test_restarted_process_does_not_retry_the_fatal_event_first(
    probe: InboxHarness,
) -> None:
    trouble = FailingEffect(probe, cancel_process)
    publish_in_one_partition(probe, ["trouble"])
    await park_all(probe, trouble)
    probe.clock.advance(minutes=15)
    with suppress(asyncio.CancelledError):
        await ParkedEventRetrier(trouble.make_consumer()).retry_due()

    assert await ParkedEventRetrier(trouble.make_consumer()).retry_due() == 0
    assert trouble.attempts["trouble"] == 1


async def test_slow_retry_counts_as_a_failed_attempt(probe: InboxHarness) -> None:
    trouble = FailingEffect(probe, exceed_hold_time)
    publish_in_one_partition(probe, ["trouble"])
    await park_all(probe, trouble)

    for _ in range(probe.retry_policy.max_attempts):
        probe.clock.advance(minutes=15)
        await ParkedEventRetrier(trouble.make_consumer()).retry_due()

    assert [letter.state for letter in await probe.list_dead_letters()] == ["dead"]
    assert trouble.attempts["trouble"] == probe.retry_policy.max_attempts - 1


async def test_retry_during_an_outage_raises_and_counts_nothing(probe: InboxHarness) -> None:
    trouble = FailingEffect(probe, raise_connection_error)
    publish_in_one_partition(probe, ["trouble"])
    await park_all(probe, trouble)
    probe.clock.advance(minutes=15)
    reader = trouble.make_consumer()
    reader.database = UnavailableDatabase(reader.database)  # type: ignore[assignment]  # as above

    with pytest.raises(Transient):
        await ParkedEventRetrier(reader).retry_due()

    rows = await probe.query("SELECT tries, attempts FROM parked")
    assert [(row["tries"], row["attempts"]) for row in rows] == [(0, 1)]
