"""A read model is rebuilt from a log that holds a fact in one version, in two, and in the other."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.contracts.event import Fact
from shared.kit.tools.replay.feed import ReadOrder
from shared.kit.tools.replay.shadow import LogClock, ShadowDatabase
from shared.kit.tools.replay.shadow_consumer import ShadowConsumer
from tests.kit.conftest import Frame
from tests.support.versioned_event import (
    LineSaid,
    LineSaidV1,
    VersionedService,
    line_said,
    line_said_v1,
)

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
_OF_BOTH = ["une", "deux mots", "trois"]


@pytest.mark.parametrize("order", ReadOrder)
@pytest.mark.parametrize("declared", [LineSaid, LineSaidV1])
async def test_a_replay_reads_the_whole_history_of_a_fact(
    stage: VersionedService,
    frame: Frame,
    monkeypatch: pytest.MonkeyPatch,
    declared: type[Fact],
    order: ReadOrder,
) -> None:
    await stage.record_facts(line_said_v1("une"), line_said("deux mots"), line_said("trois"))
    if declared is LineSaid:  # by now nobody needs the other one
        monkeypatch.setattr(LineSaid, "DUAL_PUBLISH", False)
        await stage.record_facts(line_said("quatre"))
    clock = LogClock()
    shadow = ShadowDatabase("community", frame.url("app"), ["public"], clock)
    consumer = stage.consumer(declared)
    consumer.database, consumer.clock = shadow, clock
    applying = ShadowConsumer(consumer, shadow, stage.bus, clock, order)
    try:
        await applying.start_at(datetime.now(UTC) - timedelta(days=1))
        await applying.apply_until((await stage.bus.get_log_bounds(consumer.topics)).end)
        outcomes = await applying.count_outcomes()
    finally:
        await shadow.stop()

    told = ["une", "deux mots", "trois", "quatre"] if declared is LineSaid else _OF_BOTH
    assert [words.replace("|", " ") for words in await stage.effects()] == told
    assert outcomes == {"applied": len(told), "ignored": 2, "duplicate": 0, "unreadable": 0}
