"""A read model is rebuilt from a log that holds a fact in one version, in two, and in the other."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.contracts.event import Fact
from shared.kit.tools.replay.applying import Applying
from shared.kit.tools.replay.feed import Order
from shared.kit.tools.replay.shadow import LogClock, ShadowDatabase
from tests.kit.conftest import Frame
from tests.support.versioned_event import LineSaid, LineSaidV1, Stage, said, said_before

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
_OF_BOTH = ["une", "deux mots", "trois"]


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("declared", [LineSaid, LineSaidV1])
async def test_a_replay_reads_the_whole_history_of_a_fact(
    stage: Stage,
    frame: Frame,
    monkeypatch: pytest.MonkeyPatch,
    declared: type[Fact],
    order: Order,
) -> None:
    await stage.tell(said_before("une"), said("deux mots"), said("trois"))
    if declared is LineSaid:  # by now nobody needs the other one
        monkeypatch.setattr(LineSaid, "BESIDE", False)
        await stage.tell(said("quatre"))
    clock = LogClock()
    shadow = ShadowDatabase("community", frame.url("app"), ["public"], clock)
    consumer = stage.consumer(declared)
    consumer.database, consumer.clock = shadow, clock
    applying = Applying(consumer, shadow, stage.bus, clock, order)
    try:
        await applying.begin_at(datetime.now(UTC) - timedelta(days=1))
        await applying.read_to((await stage.bus.progress(consumer.topics)).end)
        outcomes = await applying.outcomes()
    finally:
        await shadow.stop()

    told = ["une", "deux mots", "trois", "quatre"] if declared is LineSaid else _OF_BOTH
    assert [words.replace("|", " ") for words in await stage.effects()] == told
    assert outcomes == {"applied": len(told), "ignored": 2, "duplicate": 0, "unreadable": 0}
