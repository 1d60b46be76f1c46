"""Replay of a log with a fact in the old version, in both, and only in the new one."""

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
_TEXTS_IN_BOTH_VERSIONS = ["une", "deux mots", "trois"]


@pytest.mark.parametrize("order", ReadOrder)
@pytest.mark.parametrize("declared", [LineSaid, LineSaidV1])
async def test_replay_reads_events_of_all_versions(
    versioned_service: VersionedService,
    frame: Frame,
    monkeypatch: pytest.MonkeyPatch,
    declared: type[Fact],
    order: ReadOrder,
) -> None:
    await versioned_service.record_facts(
        line_said_v1("une"), line_said("deux mots"), line_said("trois")
    )
    if declared is LineSaid:  # the older version is no longer published
        monkeypatch.setattr(LineSaid, "DUAL_PUBLISH", False)
        await versioned_service.record_facts(line_said("quatre"))
    clock = LogClock()
    shadow_database = ShadowDatabase("community", frame.url("app"), ["public"], clock)
    consumer = versioned_service.consumer(declared)
    consumer.database, consumer.clock = shadow_database, clock
    shadow_consumer = ShadowConsumer(consumer, shadow_database, versioned_service.bus, clock, order)
    try:
        await shadow_consumer.start_at(datetime.now(UTC) - timedelta(days=1))
        await shadow_consumer.apply_until(
            (await versioned_service.bus.get_log_bounds(consumer.topics)).end
        )
        outcomes = await shadow_consumer.count_outcomes()
    finally:
        await shadow_database.stop()

    expected = (
        ["une", "deux mots", "trois", "quatre"] if declared is LineSaid else _TEXTS_IN_BOTH_VERSIONS
    )
    assert [words.replace("|", " ") for words in await versioned_service.effects()] == expected
    assert outcomes == {"applied": len(expected), "ignored": 2, "duplicate": 0, "unreadable": 0}
