"""The outbox as a queue: reads in order, of bounded size, from the cursor's position."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg
import pytest

from shared.contracts.identity import MemberSuspended
from shared.kit.database.outbox import SHARDS
from shared.kit.relay import queue_cursor
from shared.kit.relay.queue_cursor import READ_ALL_SHARDS, READ_OWN_SHARDS, QueueCursor
from shared.kit.relay.relay import SESSION_SETTINGS
from tests.kit.conftest import Frame
from tests.support.inbox_harness import InboxHarness, make_caller, member_id

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
ALL_SHARDS = list(range(SHARDS))
MAX_BYTES = 16_000_000
FILL = """
    INSERT INTO outbox (shard, topic, key, value, recorded)
    SELECT n % 8, 'identity.member', 'k' || n, convert_to(repeat('é', $2), 'UTF8'), now()
    FROM generate_series(1, $1::int) AS n
"""


@pytest.fixture
async def relay(frame: Frame, harness: InboxHarness) -> AsyncIterator[asyncpg.Connection]:
    """A connection with the relay's session settings, to an empty outbox."""
    url = frame.url("relay").replace("+asyncpg", "")
    connection = await asyncpg.connect(url, server_settings=dict(SESSION_SETTINGS))
    yield connection
    await connection.close()


async def read(
    relay: Any,
    query: str = READ_ALL_SHARDS,
    shards: Sequence[int] = ALL_SHARDS,
    *,
    position: int = 0,
    max_rows: int = 5,
) -> list[int]:
    """Read once; return the positions of the rows."""
    rows = await relay.fetch(query, position, list(shards), max_rows, MAX_BYTES)
    return [row["position"] for row in rows]


async def drain(relay: Any, cursor: QueueCursor) -> list[int]:
    """Read and delete until the outbox is empty; return the positions of all rows."""
    all_positions: list[int] = []
    while True:
        positions = await read(relay, position=cursor.position)
        await cursor.advance(relay, positions)
        if not positions:
            return all_positions
        all_positions += positions
        await relay.execute("DELETE FROM outbox WHERE position = ANY($1::bigint[])", positions)


async def test_the_owner_of_some_shards_reads_those_in_order(
    relay: asyncpg.Connection, harness: InboxHarness
) -> None:
    await harness.query(FILL, 40, 1)

    own = (READ_OWN_SHARDS, [2, 5, 7])
    assert await read(relay, READ_ALL_SHARDS) == [1, 2, 3, 4, 5]
    assert await read(relay, *own, max_rows=6) == [2, 5, 7, 10, 13, 15]
    assert await read(relay, *own, position=7, max_rows=4) == [10, 13, 15, 18]


@pytest.mark.parametrize("query", [READ_ALL_SHARDS, READ_OWN_SHARDS])
async def test_a_batch_is_bounded_in_bytes_and_has_one_event_at_least(
    relay: asyncpg.Connection, harness: InboxHarness, query: str
) -> None:
    await harness.query(FILL, 6, 500)  # 1,000 bytes each
    for max_bytes, expected in ((2_500, 3), (1, 1), (100_000, 6)):
        assert len(await relay.fetch(query, 0, ALL_SHARDS, 500, max_bytes)) == expected


async def test_a_read_neither_sorts_nor_scans_deleted_rows(
    relay: asyncpg.Connection, harness: InboxHarness
) -> None:
    await harness.query(FILL, 2_000, 1)
    arguments = f"'{{{','.join(map(str, ALL_SHARDS))}}}'", "500", "16000000"
    query = READ_ALL_SHARDS.replace("$1", "1500")
    for number, value in enumerate(arguments, start=2):
        query = query.replace(f"${number}", value)

    plan = "\n".join(row[0] for row in await relay.fetch(f"EXPLAIN {query}"))

    assert "Index Scan using pk_outbox" in plan
    assert 'Index Cond: ("position" >' in plan
    assert "Sort" not in plan


async def test_the_cursor_advances_while_an_old_snapshot_blocks_vacuum(
    relay: asyncpg.Connection, frame: Frame, harness: InboxHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_cursor, "SNAPSHOT_INTERVAL_READS", 2)
    report = await asyncpg.connect(frame.url("owner").replace("+asyncpg", ""))
    try:
        transaction = report.transaction(isolation="repeatable_read")
        await transaction.start()
        await report.fetch("SELECT count(*) FROM heads")
        await harness.query(FILL, 100, 1)
        cursor = QueueCursor()

        assert await drain(relay, cursor) == list(range(1, 101))
        # Transactions of any database count: another test's may be open for a moment.
        async with asyncio.timeout(20):
            while cursor.position <= 70:
                await harness.query(FILL, 10, 1)
                await drain(relay, cursor)
    finally:
        await report.close()


async def test_a_late_commit_below_other_rows_is_read(
    relay: asyncpg.Connection, harness: InboxHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_cursor, "SNAPSHOT_INTERVAL_READS", 1)
    cursor = QueueCursor()
    late = harness.database.unit(make_caller())
    unit = await late.__aenter__()
    unit.record(MemberSuspended(member_id=member_id(1), reason="parti le premier"))
    await unit.flush()
    await harness.query(FILL, 30, 1)

    read_while_open = await drain(relay, cursor)
    position_while_open = cursor.position
    await late.__aexit__(None, None, None)
    await harness.query(FILL, 30, 1)
    read_after_commit = await drain(relay, cursor)

    assert read_while_open == list(range(2, 32))
    assert position_while_open == 0, "a transaction was open that had taken position 1"
    assert read_after_commit == [1, *range(32, 62)]
    assert cursor.position > 31


async def test_the_cursor_restarts_at_zero_at_its_interval(
    relay: asyncpg.Connection, harness: InboxHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_cursor, "SNAPSHOT_INTERVAL_READS", 1)
    monkeypatch.setattr(queue_cursor, "RESTART_INTERVAL_READS", 20)
    cursor = QueueCursor()
    await harness.query(FILL, 50, 1)
    await drain(relay, cursor)
    assert cursor.position > 0

    while cursor._reads % 20:
        await cursor.advance(relay, [])

    assert cursor.position == 0
