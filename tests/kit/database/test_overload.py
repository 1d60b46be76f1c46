"""Pressure on the real database: the outbox's age without a relay, and a pool that is empty."""

import asyncio
import time
from datetime import timedelta

import asyncpg
import pytest
from uuid_utils.compat import uuid7

from shared.contracts.identity import MemberSuspended
from shared.kit.database.database import Database
from shared.kit.database.overload import Limits, Overloaded, Pressure
from shared.kit.relay import monitor as backlog
from shared.kit.relay.monitor import Backlog
from tests.kit.conftest import Frame
from tests.support.inbox_harness import Clock, Probe, caller, member, no_trace
from tests.support.recorded_spans import kept

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

SCANS = """
    SELECT seq_tup_read AS rows, idx_scan FROM pg_stat_user_tables WHERE relname = 'outbox'
"""


async def write(probe: Probe, facts: int) -> None:
    async with probe.database.unit(caller()) as unit:
        for number in range(facts):
            unit.record(MemberSuspended(member_id=member(number), reason="la file s’allonge"))


async def test_the_age_and_length_of_the_outbox_are_known_without_a_relay(probe: Probe) -> None:
    telling = kept()
    look = Backlog(probe.database, probe.clock, telling.telemetry)
    await look.look()
    assert (probe.database.pressure.outbox_age, probe.database.pressure.outbox_events) == (0, 0)
    await write(probe, 3)
    probe.clock.forward(seconds=20)
    await write(probe, 4)
    probe.clock.forward(seconds=15)

    await look.look()

    pressure = probe.database.pressure
    assert (pressure.outbox_age, pressure.outbox_events) == (35, 7)
    assert 'preau_outbox_pending{service="community"} 7.0' in telling.page
    assert 'preau_outbox_oldest_age_seconds{service="community"} 35.0' in telling.page

    await probe.rows("DELETE FROM outbox WHERE position <= 3")
    await look.look()
    assert (pressure.outbox_age, pressure.outbox_events) == (15, 4)
    await probe.rows("DELETE FROM outbox")
    await look.look()
    assert (pressure.outbox_age, pressure.outbox_events) == (0, 0)


async def test_what_committed_late_below_what_was_seen_is_found_in_the_end(
    probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "ANEW", 3)
    look = Backlog(probe.database, probe.clock, kept().telemetry)
    late = probe.database.unit(caller())
    unit = await late.__aenter__()
    unit.record(MemberSuspended(member_id=member(1), reason="parti le premier"))
    await unit.flush()
    probe.clock.forward(seconds=50)
    async with probe.database.unit(caller()) as other:
        other.record(MemberSuspended(member_id=member(2), reason="arrivé le premier"))
    await look.look()
    await late.__aexit__(None, None, None)

    await look.look()
    assert probe.database.pressure.outbox_events == 1
    await look.look()

    pressure = probe.database.pressure
    assert (pressure.outbox_age, pressure.outbox_events) == (50, 2)


async def test_a_look_that_was_planned_on_an_empty_outbox_does_not_read_a_long_one(
    probe: Probe,
) -> None:
    await write(probe, 3)
    await probe.rows("DELETE FROM outbox")
    owner = await asyncpg.connect(probe.owner_url.replace("+asyncpg", ""))
    try:
        await owner.execute("VACUUM ANALYZE outbox")
        look = Backlog(probe.database, probe.clock, kept().telemetry)
        for _ in range(10):
            await look.look()
        await owner.execute("""
            INSERT INTO outbox (shard, topic, key, value, recorded)
            SELECT 0, 't', 'k', '', now() FROM generate_series(1, 50000)
        """)
        (before,) = (after,) = await owner.fetch(SCANS)
        async with asyncio.timeout(20):
            while after == before:  # the server tells its figures a moment later
                await look.look()
                await asyncio.sleep(0.2)
                (after,) = await owner.fetch(SCANS)
    finally:
        await owner.close()

    assert probe.database.pressure.outbox_events == 50_000
    assert after["rows"] == before["rows"], "it read the table itself, from its beginning"


async def test_it_looks_by_itself_until_told_to_stop(
    probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "EVERY", 0.01)
    stop = asyncio.Event()
    task = asyncio.create_task(Backlog(probe.database, probe.clock, kept().telemetry).run(stop))
    await write(probe, 2)
    async with asyncio.timeout(5):
        while probe.database.pressure.outbox_events != 2:  # noqa: ASYNC110  its own task looks
            await asyncio.sleep(0.01)
    stop.set()
    await asyncio.wait_for(task, 2)


async def test_who_gets_no_connection_in_time_is_told_so_and_it_is_counted(frame: Frame) -> None:
    telling = kept()
    limits = Limits(connections=1, wait=0.3)
    pressure = Pressure("pool", limits, telling.telemetry)
    opened = Database(
        "community",
        frame.url("app"),
        clock=Clock(),
        new_id=uuid7,
        trace=no_trace,
        pressure=pressure,
    )
    try:
        async with opened.batch(()):
            began = time.monotonic()
            with pytest.raises(Overloaded) as refused:
                async with opened.unit(caller()):
                    raise AssertionError("there was none")
            took = time.monotonic() - began
        assert pressure.refuses() == "connection_wait"
        await asyncio.sleep(0.31)
        assert pressure.refuses() is None
        async with opened.batch(()):
            pass
    finally:
        await opened.stop()

    assert timedelta(seconds=took) < timedelta(seconds=1)
    assert 1 <= int(str(refused.value.facts["retry_after"])) <= 3
    page = telling.page
    label = 'db_client_connection_pool_name="pool",service="community"'
    assert f"db_client_connection_timeouts_total{{{label}}} 1.0" in page
    assert f"db_client_connection_wait_time_seconds_count{{{label}}} 2.0" in page
