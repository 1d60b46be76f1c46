"""Pressure on the real database: the outbox's age without a relay, and a pool that is empty."""

import asyncio
import time
from datetime import timedelta

import asyncpg
import pytest
from uuid_utils.compat import uuid7

from shared.contracts.identity import MemberSuspended
from shared.kit.database.database import Database
from shared.kit.database.overload import LoadLimits, LoadMonitor, Overloaded
from shared.kit.relay import outbox_monitor as backlog
from shared.kit.relay.outbox_monitor import OutboxMonitor
from tests.kit.conftest import Frame
from tests.support.inbox_harness import Clock, InboxHarness, make_caller, member_id, no_trace
from tests.support.recorded_spans import record_telemetry

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

SCANS = """
    SELECT seq_tup_read AS rows, idx_scan FROM pg_stat_user_tables WHERE relname = 'outbox'
"""


async def write(probe: InboxHarness, facts: int) -> None:
    async with probe.database.unit(make_caller()) as unit:
        for number in range(facts):
            unit.record(MemberSuspended(member_id=member_id(number), reason="la file s’allonge"))


async def test_the_age_and_length_of_the_outbox_are_known_without_a_relay(
    probe: InboxHarness,
) -> None:
    telling = record_telemetry()
    look = OutboxMonitor(probe.database, probe.clock, telling.telemetry)
    await look.measure()
    assert (
        probe.database.load_monitor.outbox_age_seconds,
        probe.database.load_monitor.outbox_events,
    ) == (0, 0)
    await write(probe, 3)
    probe.clock.advance(seconds=20)
    await write(probe, 4)
    probe.clock.advance(seconds=15)

    await look.measure()

    pressure = probe.database.load_monitor
    assert (pressure.outbox_age_seconds, pressure.outbox_events) == (35, 7)
    assert 'preau_outbox_pending{service="community"} 7.0' in telling.metrics_page
    assert 'preau_outbox_oldest_age_seconds{service="community"} 35.0' in telling.metrics_page

    await probe.query("DELETE FROM outbox WHERE position <= 3")
    await look.measure()
    assert (pressure.outbox_age_seconds, pressure.outbox_events) == (15, 4)
    await probe.query("DELETE FROM outbox")
    await look.measure()
    assert (pressure.outbox_age_seconds, pressure.outbox_events) == (0, 0)


async def test_what_committed_late_below_what_was_seen_is_found_in_the_end(
    probe: InboxHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "ANEW", 3)
    look = OutboxMonitor(probe.database, probe.clock, record_telemetry().telemetry)
    late = probe.database.unit(make_caller())
    unit = await late.__aenter__()
    unit.record(MemberSuspended(member_id=member_id(1), reason="parti le premier"))
    await unit.flush()
    probe.clock.advance(seconds=50)
    async with probe.database.unit(make_caller()) as other:
        other.record(MemberSuspended(member_id=member_id(2), reason="arrivé le premier"))
    await look.measure()
    await late.__aexit__(None, None, None)

    await look.measure()
    assert probe.database.load_monitor.outbox_events == 1
    await look.measure()

    pressure = probe.database.load_monitor
    assert (pressure.outbox_age_seconds, pressure.outbox_events) == (50, 2)


async def test_a_look_that_was_planned_on_an_empty_outbox_does_not_read_a_long_one(
    probe: InboxHarness,
) -> None:
    await write(probe, 3)
    await probe.query("DELETE FROM outbox")
    owner = await asyncpg.connect(probe.owner_url.replace("+asyncpg", ""))
    try:
        await owner.execute("VACUUM ANALYZE outbox")
        look = OutboxMonitor(probe.database, probe.clock, record_telemetry().telemetry)
        for _ in range(10):
            await look.measure()
        await owner.execute("""
            INSERT INTO outbox (shard, topic, key, value, recorded)
            SELECT 0, 't', 'k', '', now() FROM generate_series(1, 50000)
        """)
        (before,) = (after,) = await owner.fetch(SCANS)
        async with asyncio.timeout(20):
            while after == before:  # the server tells its figures a moment later
                await look.measure()
                await asyncio.sleep(0.2)
                (after,) = await owner.fetch(SCANS)
    finally:
        await owner.close()

    assert probe.database.load_monitor.outbox_events == 50_000
    assert after["rows"] == before["rows"], "it read the table itself, from its beginning"


async def test_it_looks_by_itself_until_told_to_stop(
    probe: InboxHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "EVERY", 0.01)
    stop = asyncio.Event()
    task = asyncio.create_task(
        OutboxMonitor(probe.database, probe.clock, record_telemetry().telemetry).run(stop)
    )
    await write(probe, 2)
    async with asyncio.timeout(5):
        while probe.database.load_monitor.outbox_events != 2:  # noqa: ASYNC110  its own task looks
            await asyncio.sleep(0.01)
    stop.set()
    await asyncio.wait_for(task, 2)


async def test_who_gets_no_connection_in_time_is_told_so_and_it_is_counted(frame: Frame) -> None:
    telling = record_telemetry()
    limits = LoadLimits(pool_size=1, max_wait_seconds=0.3)
    pressure = LoadMonitor("pool", limits, telling.telemetry)
    opened = Database(
        "community",
        frame.url("app"),
        clock=Clock(),
        new_id=uuid7,
        trace=no_trace,
        load_monitor=pressure,
    )
    try:
        async with opened.unit_for(()):
            began = time.monotonic()
            with pytest.raises(Overloaded) as refused:
                async with opened.unit(make_caller()):
                    raise AssertionError("there was none")
            took = time.monotonic() - began
        assert pressure.rejection_reason() == "connection_wait"
        await asyncio.sleep(0.31)
        assert pressure.rejection_reason() is None
        async with opened.unit_for(()):
            pass
    finally:
        await opened.stop()

    assert timedelta(seconds=took) < timedelta(seconds=1)
    assert 1 <= int(str(refused.value.facts["retry_after"])) <= 3
    page = telling.metrics_page
    label = 'db_client_connection_pool_name="pool",service="community"'
    assert f"db_client_connection_timeouts_total{{{label}}} 1.0" in page
    assert f"db_client_connection_wait_time_seconds_count{{{label}}} 2.0" in page
