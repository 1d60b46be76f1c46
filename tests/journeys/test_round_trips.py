"""Number of database round trips of a hot command, independent of the machine."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from tests.support.platform_harness import PlatformHarness

pytestmark = pytest.mark.asyncio(loop_scope="session")
_POST = {"kind": "question", "title": "À l’heure ? ⏱", "body": "Où est « l’œuf » ? 🥚"}
_REQUEST_STATEMENTS = (
    "rights_members",
    "spaces",
    "contents",
    "INSERT INTO outbox",
    "INSERT INTO audit",
)


@contextmanager
def recorded_statements(platform: PlatformHarness) -> Iterator[list[str]]:
    """Collect the statements on community's database, except from reactions and relays."""
    engine = platform.services["community"].service.database.engine.sync_engine
    watched_connections: set[Any] = set()
    statements: list[str] = []

    def record_statement(query: Any) -> None:
        text = " ".join(query.query.split())
        if any(word in text for word in _REQUEST_STATEMENTS):
            statements.append(text)

    def log_queries_of(connected: Any, *_: object) -> None:
        connection = connected.driver_connection
        if connection not in watched_connections:
            watched_connections.add(connection)
            connection.add_query_logger(record_statement)

    sa.event.listen(engine, "checkout", log_queries_of)
    try:
        yield statements
    finally:
        sa.event.remove(engine, "checkout", log_queries_of)
        for connection in watched_connections:
            connection.remove_query_logger(record_statement)


async def test_a_post_takes_three_round_trips(platform: PlatformHarness) -> None:
    space = await platform.open_space("zoe")
    path = f"/community/v1/spaces/{space}/posts"
    with recorded_statements(platform) as statements:
        await platform.request_ok("zoe", "POST", path, _POST)

    caller_statement, space_statement, write_statement = statements
    assert "FROM rights_members" in caller_statement
    assert "FROM spaces" in space_statement
    for table in ("contents", "heads", "outbox", "audit"):
        assert f"INSERT INTO {table}" in write_statement


async def test_concurrent_posts_share_their_reads(platform: PlatformHarness) -> None:
    space = await platform.open_space("zoe")
    path = f"/community/v1/spaces/{space}/posts"
    with recorded_statements(platform) as statements:
        await asyncio.gather(*(platform.request_ok("zoe", "POST", path, _POST) for _ in range(8)))

    # The audit chain of one member grows by one row per statement.
    write_statements = [text for text in statements if "INSERT INTO contents" in text]
    assert len(write_statements) == 8
    assert len(statements) - len(write_statements) < 8


async def test_a_comment_takes_four_round_trips(platform: PlatformHarness) -> None:
    space = await platform.open_space("zoe")
    post = await platform.request_ok("zoe", "POST", f"/community/v1/spaces/{space}/posts", _POST)
    path = f"/community/v1/contents/{post['content_id']}/comments"
    with recorded_statements(platform) as statements:
        await platform.request_ok("zoe", "POST", path, {"body": "Là. 👍"})

    assert len(statements) == 4
    assert "INSERT INTO contents" in statements[-1]
