"""Parked events that fail by what may pass, or make us too slow, when they are tried again."""

import asyncio
from contextlib import suppress

import pytest

from shared.kit.core.errors import Transient
from shared.kit.inbox.retry import ParkedKeys
from tests.support.failing_effects import (
    PATIENCE,
    AwayDatabase,
    Trouble,
    burn,
    end,
    lose,
    park_all,
    publish,
)
from tests.support.inbox_harness import Probe, placed

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


async def test_a_retry_that_fails_for_now_lets_the_other_keys_go_on(probe: Probe) -> None:
    trouble = Trouble(probe, lose)
    reader = trouble.reader()
    trouble.probe.retry = reader.retry
    first, second = placed(0, 2)
    probe.publish("trouble", who=first)
    probe.publish("b", who=second)
    await park_all(probe, trouble)

    assert await ParkedKeys(reader).retry() == 1
    assert [row["tries"] for row in await probe.rows("SELECT tries FROM parked")] == [1]


async def test_retries_that_come_to_no_end_are_attempts_in_the_end_and_then_it_is_dead(
    probe: Probe,
) -> None:
    trouble = Trouble(probe, end)
    publish(probe, ["trouble"])
    await park_all(probe, trouble)

    for _ in range(40):
        probe.clock.forward(minutes=15)
        with suppress(asyncio.CancelledError):
            await ParkedKeys(trouble.reader()).retry()

    (letter,) = await probe.letters()
    assert letter.state == "dead"
    assert trouble.tried["trouble"] <= probe.retry.attempts * PATIENCE.attempts


async def test_a_process_that_starts_again_does_not_begin_with_what_ended_the_last(
    probe: Probe,
) -> None:
    trouble = Trouble(probe, end)
    publish(probe, ["trouble"])
    await park_all(probe, trouble)
    probe.clock.forward(minutes=15)
    with suppress(asyncio.CancelledError):
        await ParkedKeys(trouble.reader()).retry()

    assert await ParkedKeys(trouble.reader()).retry() == 0
    assert trouble.tried["trouble"] == 1


async def test_a_retry_that_makes_us_slow_counts_as_a_failed_attempt(probe: Probe) -> None:
    trouble = Trouble(probe, burn)
    publish(probe, ["trouble"])
    await park_all(probe, trouble)

    for _ in range(probe.retry.attempts):
        probe.clock.forward(minutes=15)
        await ParkedKeys(trouble.reader()).retry()

    assert [letter.state for letter in await probe.letters()] == ["dead"]
    assert trouble.tried["trouble"] == probe.retry.attempts - 1


async def test_a_retry_in_an_outage_raises_and_counts_nothing(probe: Probe) -> None:
    trouble = Trouble(probe, lose)
    publish(probe, ["trouble"])
    await park_all(probe, trouble)
    probe.clock.forward(minutes=15)
    reader = trouble.reader()
    reader.database = AwayDatabase(reader.database)  # type: ignore[assignment]  # as above

    with pytest.raises(Transient):
        await ParkedKeys(reader).retry()

    rows = await probe.rows("SELECT tries, attempts FROM parked")
    assert [(row["tries"], row["attempts"]) for row in rows] == [(0, 1)]
