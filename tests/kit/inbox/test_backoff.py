"""A stopped group tries its batch seldom, and at once when somebody has lifted the halt."""

from collections.abc import Mapping

import pytest

from shared.kit.core.bus import Partition, Redeliver
from shared.kit.inbox.circuit_breaker import LOOK, PAUSE, resume
from shared.kit.inbox.consumer import BatchConsumer
from tests.support.inbox_harness import GROUP, TOPIC, Probe, caller, member, placed

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


async def stopped(probe: Probe) -> BatchConsumer:
    """Give the reader whose batch stopped the group, in partition 1."""
    for who in placed(1, 30):
        probe.publish("poison", who=who)
    reader = probe.consumer()
    with pytest.raises(Redeliver) as wish:
        await hand_over(probe, reader)
    assert wish.value.pause == LOOK
    probe.seen.clear()
    return reader


async def hand_over(probe: Probe, reader: BatchConsumer) -> Mapping[Partition, int]:
    starts = await reader.assigned([Partition(TOPIC, number) for number in (1, 2)])
    return await reader.handle(await probe.waiting(starts))


async def lifted(probe: Probe, failures: int = 100) -> None:
    who = caller(who=member(9))
    async with probe.database.unit(who) as unit:
        await resume(unit, GROUP, who, failures=failures)


async def test_what_stopped_it_is_not_tried_until_its_time(probe: Probe) -> None:
    reader = await stopped(probe)

    probe.clock.forward(seconds=PAUSE - 1)
    assert await hand_over(probe, reader) == {}
    assert probe.seen == []

    probe.clock.forward(seconds=1)
    probe.mended = True
    assert await hand_over(probe, reader) == {Partition(TOPIC, 1): 30}


async def test_lifted_it_goes_on_at_once(probe: Probe) -> None:
    reader = await stopped(probe)
    await lifted(probe)

    assert await hand_over(probe, reader) == {Partition(TOPIC, 1): 30}
    assert (await probe.ledger(reader)).parked == 30


async def test_what_went_well_elsewhere_is_applied_meanwhile(probe: Probe) -> None:
    reader = await stopped(probe)
    probe.publish("bon", who=placed(2, 1)[0])

    assert await hand_over(probe, reader) == {Partition(TOPIC, 2): 1}
    assert probe.seen == ["bon"]


async def test_a_reader_that_gets_the_partition_back_tries_it(probe: Probe) -> None:
    reader = await stopped(probe)
    await reader.revoked([Partition(TOPIC, 1)])
    probe.mended = True

    assert await hand_over(probe, reader) == {Partition(TOPIC, 1): 30}


async def test_what_is_parked_is_tried_at_once_too(probe: Probe) -> None:
    reader = probe.consumer()
    probe.publish("poison", who=placed(1, 1)[0])
    await hand_over(probe, reader)
    later = "SELECT FROM parked WHERE next_try > $1"
    assert len(await probe.rows(later, probe.clock())) == 1

    await lifted(probe)

    assert await probe.rows(later, probe.clock()) == []
    assert len(await probe.rows("SELECT FROM parked WHERE next_try = $1", probe.clock())) == 1
