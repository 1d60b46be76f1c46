"""LoadMonitor and OutboxMonitor on the database: outbox age without a relay, exhausted pool."""

import asyncio
import time
from datetime import timedelta

import asyncpg
import pytest
from uuid_utils.compat import uuid7

from shared.contracts.identity import MemberSuspended
from shared.kit.database.database import Database
from shared.kit.database.overload import LoadLimits, LoadMonitor, Overloaded
from shared.kit.relay import outbox_monitor
from shared.kit.relay.outbox_monitor import OutboxMonitor
from tests.kit.conftest import Frame
from tests.support.inbox_harness import Clock, InboxHarness, make_caller, member_id, no_trace
from tests.support.recorded_spans import record_telemetry

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

SCANS = """
    SELECT seq_tup_read AS rows, idx_scan FROM pg_stat_user_tables WHERE relname = 'outbox'
"""


async def write_facts(harness: InboxHarness, facts: int) -> None:
    async with harness.database.unit(make_caller()) as unit:
        for number in range(facts):
            unit.record(MemberSuspended(member_id=member_id(number), reason="la file s’allonge"))


async def test_the_outbox_is_measured_without_a_relay(harness: InboxHarness) -> None:
    recorded = record_telemetry()
    monitor = OutboxMonitor(harness.database, harness.clock, recorded.telemetry)
    load_monitor = harness.database.load_monitor
    await monitor.measure()
    assert (load_monitor.outbox_age_seconds, load_monitor.outbox_events) == (0, 0)
    await write_facts(harness, 3)
    harness.clock.advance(seconds=20)
    await write_facts(harness, 4)
    harness.clock.advance(seconds=15)

    await monitor.measure()

    assert (load_monitor.outbox_age_seconds, load_monitor.outbox_events) == (35, 7)
    assert 'preau_outbox_pending{service="community"} 7.0' in recorded.metrics_page
    assert 'preau_outbox_oldest_age_seconds{service="community"} 35.0' in recorded.metrics_page

    await harness.query("DELETE FROM outbox WHERE position <= 3")
    await monitor.measure()
    assert (load_monitor.outbox_age_seconds, load_monitor.outbox_events) == (15, 4)
    await harness.query("DELETE FROM outbox")
    await monitor.measure()
    assert (load_monitor.outbox_age_seconds, load_monitor.outbox_events) == (0, 0)


async def test_the_monitor_finds_a_late_commit_when_it_restarts(
    harness: InboxHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_monitor, "RESTART_INTERVAL_MEASUREMENTS", 3)
    monitor = OutboxMonitor(harness.database, harness.clock, record_telemetry().telemetry)
    late = harness.database.unit(make_caller())
    unit = await late.__aenter__()
    unit.record(MemberSuspended(member_id=member_id(1), reason="parti le premier"))
    await unit.flush()
    harness.clock.advance(seconds=50)
    async with harness.database.unit(make_caller()) as second_unit:
        second_unit.record(MemberSuspended(member_id=member_id(2), reason="arrivé le premier"))
    await monitor.measure()
    await late.__aexit__(None, None, None)

    await monitor.measure()
    assert harness.database.load_monitor.outbox_events == 1
    await monitor.measure()

    load_monitor = harness.database.load_monitor
    assert (load_monitor.outbox_age_seconds, load_monitor.outbox_events) == (50, 2)


async def test_a_plan_made_on_an_empty_outbox_does_not_scan_a_long_one(
    harness: InboxHarness,
) -> None:
    await write_facts(harness, 3)
    await harness.query("DELETE FROM outbox")
    owner = await asyncpg.connect(harness.owner_url.replace("+asyncpg", ""))
    try:
        await owner.execute("VACUUM ANALYZE outbox")
        monitor = OutboxMonitor(harness.database, harness.clock, record_telemetry().telemetry)
        for _ in range(10):
            await monitor.measure()
        await owner.execute("""
            INSERT INTO outbox (shard, topic, key, value, recorded)
            SELECT 0, 't', 'k', '', now() FROM generate_series(1, 50000)
        """)
        (first_scans,) = (scans,) = await owner.fetch(SCANS)
        async with asyncio.timeout(20):
            while scans == first_scans:  # the server publishes its statistics with a delay
                await monitor.measure()
                await asyncio.sleep(0.2)
                (scans,) = await owner.fetch(SCANS)
    finally:
        await owner.close()

    assert harness.database.load_monitor.outbox_events == 50_000
    assert scans["rows"] == first_scans["rows"], "the table was scanned from its beginning"


async def test_the_monitor_measures_at_its_interval_until_stopped(
    harness: InboxHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_monitor, "MEASURE_INTERVAL_SECONDS", 0.01)
    stop = asyncio.Event()
    monitor = OutboxMonitor(harness.database, harness.clock, record_telemetry().telemetry)
    task = asyncio.create_task(monitor.run(stop))
    await write_facts(harness, 2)
    async with asyncio.timeout(5):
        while harness.database.load_monitor.outbox_events != 2:  # noqa: ASYNC110  its own task
            await asyncio.sleep(0.01)
    stop.set()
    await asyncio.wait_for(task, 2)


async def test_an_exhausted_pool_rejects_in_time_and_is_counted(frame: Frame) -> None:
    recorded = record_telemetry()
    limits = LoadLimits(pool_size=1, max_wait_seconds=0.3)
    load_monitor = LoadMonitor("pool", limits, recorded.telemetry)
    database = Database(
        "community",
        frame.url("app"),
        clock=Clock(),
        new_id=uuid7,
        trace=no_trace,
        load_monitor=load_monitor,
    )
    try:
        async with database.unit_for(()):
            started_at = time.monotonic()
            with pytest.raises(Overloaded) as raised:
                async with database.unit(make_caller()):
                    raise AssertionError("the pool has a second connection")
            elapsed_seconds = time.monotonic() - started_at
        assert load_monitor.rejection_reason() == "connection_wait"
        await asyncio.sleep(0.31)
        assert load_monitor.rejection_reason() is None
        async with database.unit_for(()):
            pass
    finally:
        await database.stop()

    assert timedelta(seconds=elapsed_seconds) < timedelta(seconds=1)
    assert 1 <= int(str(raised.value.facts["retry_after"])) <= 3
    page = recorded.metrics_page
    label = 'db_client_connection_pool_name="pool",service="community"'
    assert f"db_client_connection_timeouts_total{{{label}}} 1.0" in page
    assert f"db_client_connection_wait_time_seconds_count{{{label}}} 2.0" in page
