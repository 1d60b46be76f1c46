"""An event that fails by what may pass or makes us slow is parked; an outage parks nothing."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import pytest

from shared.contracts.event import Fact
from shared.contracts.identity import MemberSuspended
from shared.kit.core.bus import Redeliver
from shared.kit.core.reactions import BoundReaction
from shared.kit.core.unit_of_work import Delivery, Unit
from shared.kit.database.database import connection
from shared.kit.telemetry.noop import NoTelemetry
from tests.support.failing_effects import (
    HOLD_SECONDS,
    PATIENCE,
    AwayDatabase,
    Trouble,
    burn,
    end,
    lose,
    places,
    publish,
)
from tests.support.inbox_harness import Probe, placed

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


class Effects(NoTelemetry):
    """Keeps which effects were slow."""

    def __init__(self) -> None:
        self.slow: Counter[tuple[str, str]] = Counter()

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        if name == "preau.consumer.slow_effect":
            self.slow[labels["group"], labels["reaction"]] += int(amount)


async def test_an_event_alone_that_fails_for_now_again_and_again_is_parked(probe: Probe) -> None:
    trouble = Trouble(probe, lose)
    publish(probe, ["trouble"])

    found = await trouble.read(trouble.reader())

    assert (found.parked, found.lag) == (1, 0)
    assert trouble.tried["trouble"] == 1 + PATIENCE.attempts
    (letter,) = await probe.letters(everything=True)
    assert letter.cause == "GivenUp: tried alone 3 times, and no attempt came to an end"


async def test_it_is_found_among_many_and_the_key_waits_behind_it(probe: Probe) -> None:
    trouble = Trouble(probe, lose)
    publish(probe, [*"abcdefgh", "trouble", *"ijkl"])
    probe.publish("derrière", who=placed(0, 9)[8])

    found = await trouble.read(trouble.reader())

    assert (found.applied, found.parked, found.lag) == (12, 2, 0)


async def test_what_is_parked_so_is_retried_and_applied_when_it_can_be(probe: Probe) -> None:
    trouble = Trouble(probe, lose)
    publish(probe, ["trouble"])
    reader = trouble.reader()
    await trouble.read(reader)
    trouble.mended = True

    assert (await probe.try_again(reader)).applied == 1


async def test_an_outage_parks_nothing_however_long_it_is(probe: Probe) -> None:
    trouble = Trouble(probe, lose)
    trouble.mended = True
    publish(probe, ["trouble", "a"])
    reader = trouble.reader()
    starts = await reader.assigned(places())
    batch = await probe.waiting(starts)
    away = AwayDatabase(reader.database)
    reader.database = away  # type: ignore[assignment]  # it has what a reader uses

    for _ in range(30):
        with pytest.raises(Redeliver):
            await reader.handle(batch)
    away.back = True
    found = await trouble.read(reader)

    assert (found.applied, found.parked, found.lag) == (2, 0, 0)


async def test_who_made_us_slow_is_parked_after_two_attempts_and_all_others_are_applied(
    probe: Probe,
) -> None:
    trouble = Trouble(probe, burn)
    publish(probe, [*"abcdefgh", "trouble", *"ijkl"])

    found = await trouble.read(trouble.reader())

    assert (found.applied, found.parked, found.lag) == (12, 1, 0)
    assert trouble.tried["trouble"] == 2
    (letter,) = await probe.letters(everything=True)
    assert letter.cause is not None
    assert letter.cause.startswith("GivenUp: too slow: 0.")


async def test_a_transaction_that_the_server_ended_while_we_computed_is_our_slowness(
    probe: Probe,
) -> None:
    trouble = Trouble(probe, lambda _: time.sleep(0))

    async def compute(unit: Unit, deliveries: Sequence[Delivery[Fact]]) -> None:
        trouble.tried["trouble"] += len(deliveries)
        opened = connection(unit)
        await opened.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = '50ms'")
        until = time.thread_time() + 2 * HOLD_SECONDS
        while time.thread_time() < until:
            sum(range(1000))
        await opened.exec_driver_sql("SELECT 1")

    reader = trouble.reader()
    reader.reactions = [BoundReaction("compute", compute, (MemberSuspended,))]
    publish(probe, ["trouble"])

    found = await trouble.read(reader)

    assert (found.parked, found.lag, trouble.tried["trouble"]) == (1, 0, 1)


async def test_an_event_that_ends_each_process_is_parked_and_all_others_are_applied(
    probe: Probe,
) -> None:
    trouble = Trouble(probe, end)
    publish(probe, [*"abcdefgh", "trouble", *"ijkl"])
    processes = 0

    while (await probe.ledger(trouble.reader())).lag and processes < 20:
        processes += 1
        with suppress(asyncio.CancelledError):
            await trouble.read(trouble.reader())

    found = await probe.ledger(trouble.reader())
    assert (found.applied, found.parked, found.lag) == (12, 1, 0)
    assert trouble.tried["trouble"] == PATIENCE.starts + PATIENCE.attempts


async def test_a_reader_that_starts_often_and_makes_progress_tries_nothing_alone(
    probe: Probe,
) -> None:
    trouble = Trouble(probe, lose)
    for number in range(6):
        publish(probe, ["a", "b"])
        reader = trouble.reader()
        await trouble.read(reader)
        (row,) = await probe.rows(
            "SELECT max(starts) AS starts, max(tries) AS tries FROM positions"
        )
        assert (row["starts"], row["tries"]) == (0, 0), number


async def test_a_slow_effect_is_told_and_a_quick_one_is_not(probe: Probe) -> None:
    trouble = Trouble(probe, lambda _: None)
    reader, telemetry = trouble.reader(), Effects()
    reader.telemetry = telemetry
    publish(probe, ["a"])
    await trouble.read(reader)
    assert telemetry.slow == {}
    reader.patience = replace(PATIENCE, effect_seconds=0.0)
    publish(probe, ["b"])
    await trouble.read(reader)

    assert telemetry.slow == {("probe", "trouble"): 1}
