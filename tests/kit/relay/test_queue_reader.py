"""Reading the queue: in order, of bounded weight, and not from the beginning each time."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg
import pytest

from shared.contracts.identity import MemberSuspended
from shared.kit.database.outbox import SHARDS
from shared.kit.relay import queue_cursor as relay_reading
from shared.kit.relay.queue_cursor import READ_ALL_SHARDS, READ_OWN_SHARDS, QueueCursor
from shared.kit.relay.relay import SESSION_SETTINGS
from tests.kit.conftest import Frame
from tests.support.inbox_harness import InboxHarness, make_caller, member_id

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
ALL = list(range(SHARDS))
MUCH = 16_000_000
FILL = """
    INSERT INTO outbox (shard, topic, key, value, recorded)
    SELECT n % 8, 'identity.member', 'k' || n, convert_to(repeat('é', $2), 'UTF8'), now()
    FROM generate_series(1, $1::int) AS n
"""


@pytest.fixture
async def relay(frame: Frame, probe: InboxHarness) -> AsyncIterator[asyncpg.Connection]:
    """A connection as the relay opens it, to an outbox that is empty."""
    url = frame.url("relay").replace("+asyncpg", "")
    opened = await asyncpg.connect(url, server_settings=dict(SESSION_SETTINGS))
    yield opened
    await opened.close()


async def read(
    relay: Any,
    query: str = READ_ALL_SHARDS,
    shards: Sequence[int] = ALL,
    *,
    floor: int = 0,
    rows: int = 5,
) -> list[int]:
    found = await relay.fetch(query, floor, list(shards), rows, MUCH)
    return [row["position"] for row in found]


async def drain(relay: Any, floor: QueueCursor) -> list[int]:
    """Read, delete and read again until nothing is left; give what was read."""
    everything: list[int] = []
    while True:
        found = await read(relay, floor=floor.position)
        await floor.advance(relay, found)
        if not found:
            return everything
        everything += found
        await relay.execute("DELETE FROM outbox WHERE position = ANY($1::bigint[])", found)


async def test_the_owner_of_some_shards_reads_those_in_order(
    relay: asyncpg.Connection, probe: InboxHarness
) -> None:
    await probe.query(FILL, 40, 1)

    assert await read(relay, READ_ALL_SHARDS) == [1, 2, 3, 4, 5]
    assert await read(relay, READ_OWN_SHARDS, [2, 5, 7], rows=6) == [2, 5, 7, 10, 13, 15]
    assert await read(relay, READ_OWN_SHARDS, [2, 5, 7], floor=7, rows=4) == [10, 13, 15, 18]


@pytest.mark.parametrize("query", [READ_ALL_SHARDS, READ_OWN_SHARDS])
async def test_a_batch_has_a_limit_of_bytes_and_a_heavy_event_goes_alone(
    relay: asyncpg.Connection, probe: InboxHarness, query: str
) -> None:
    await probe.query(FILL, 6, 500)  # 1,000 bytes each
    for most, expected in ((2_500, 3), (1, 1), (100_000, 6)):
        assert len(await relay.fetch(query, 0, ALL, 500, most)) == expected


async def test_no_read_sorts_or_walks_over_what_was_deleted(
    relay: asyncpg.Connection, probe: InboxHarness
) -> None:
    await probe.query(FILL, 2_000, 1)
    arguments = f"'{{{','.join(map(str, ALL))}}}'", "500", "16000000"
    query = READ_ALL_SHARDS.replace("$1", "1500")
    for number, value in enumerate(arguments, start=2):
        query = query.replace(f"${number}", value)

    plan = "\n".join(row[0] for row in await relay.fetch(f"EXPLAIN {query}"))

    assert "Index Scan using pk_outbox" in plan
    assert 'Index Cond: ("position" >' in plan
    assert "Sort" not in plan


async def test_the_floor_rises_though_an_old_snapshot_keeps_every_dead_row(
    relay: asyncpg.Connection, frame: Frame, probe: InboxHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_reading, "EVERY", 2)
    report = await asyncpg.connect(frame.url("owner").replace("+asyncpg", ""))
    try:
        transaction = report.transaction(isolation="repeatable_read")
        await transaction.start()
        await report.fetch("SELECT count(*) FROM heads")
        await probe.query(FILL, 100, 1)
        floor = QueueCursor()

        assert await drain(relay, floor) == list(range(1, 101))
        # Transactions of any database count: another test's may be open for a moment.
        async with asyncio.timeout(20):
            while floor.position <= 70:
                await probe.query(FILL, 10, 1)
                await drain(relay, floor)
    finally:
        await report.close()


async def test_what_commits_late_below_others_is_read_all_the_same(
    relay: asyncpg.Connection, probe: InboxHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_reading, "EVERY", 1)
    floor = QueueCursor()
    late = probe.database.unit(make_caller())
    unit = await late.__aenter__()
    unit.record(MemberSuspended(member_id=member_id(1), reason="parti le premier"))
    await unit.flush()
    await probe.query(FILL, 30, 1)

    before = await drain(relay, floor)
    below = floor.position
    await late.__aexit__(None, None, None)
    await probe.query(FILL, 30, 1)
    after = await drain(relay, floor)

    assert before == list(range(2, 32))
    assert below == 0, "a transaction was open that had taken position 1"
    assert after == [1, *range(32, 62)]
    assert floor.position > 31


async def test_now_and_then_it_begins_at_the_very_beginning(
    relay: asyncpg.Connection, probe: InboxHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_reading, "EVERY", 1)
    monkeypatch.setattr(relay_reading, "ANEW", 20)
    floor = QueueCursor()
    await probe.query(FILL, 50, 1)
    await drain(relay, floor)
    assert floor.position > 0

    while floor._reads % 20:
        await floor.advance(relay, [])

    assert floor.position == 0
