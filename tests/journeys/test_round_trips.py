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
_OURS = ("rights_members", "spaces", "contents", "INSERT INTO outbox", "INSERT INTO audit")


@contextmanager
def recorded_statements(platform: PlatformHarness) -> Iterator[list[str]]:
    """Collect the statements on community's database, except from reactions and relays."""
    engine = platform.services["community"].service.database.engine.sync_engine
    listening: set[Any] = set()
    statements: list[str] = []

    def hear(record: Any) -> None:
        text = " ".join(record.query.split())
        if any(word in text for word in _OURS):
            statements.append(text)

    def listen(connected: Any, *_: object) -> None:
        driver = connected.driver_connection
        if driver not in listening:
            listening.add(driver)
            driver.add_query_logger(hear)

    sa.event.listen(engine, "checkout", listen)
    try:
        yield statements
    finally:
        sa.event.remove(engine, "checkout", listen)
        for driver in listening:
            driver.remove_query_logger(hear)


async def test_a_post_takes_three_round_trips(platform: PlatformHarness) -> None:
    space = await platform.open_space("zoe")
    path = f"/community/v1/spaces/{space}/posts"
    with recorded_statements(platform) as statements:
        await platform.request_ok("zoe", "POST", path, _POST)

    caller_statement, where, written = statements
    assert "FROM rights_members" in caller_statement
    assert "FROM spaces" in where
    for table in ("contents", "heads", "outbox", "audit"):
        assert f"INSERT INTO {table}" in written


async def test_many_posts_at_once_take_little_more(platform: PlatformHarness) -> None:
    space = await platform.open_space("zoe")
    path = f"/community/v1/spaces/{space}/posts"
    with recorded_statements(platform) as statements:
        await asyncio.gather(*(platform.request_ok("zoe", "POST", path, _POST) for _ in range(8)))

    # The audit chain of one member grows by one row per statement.
    written = [text for text in statements if "INSERT INTO contents" in text]
    assert len(written) == 8
    assert len(statements) - len(written) < 8


async def test_a_comment_takes_four(platform: PlatformHarness) -> None:
    space = await platform.open_space("zoe")
    post = await platform.request_ok("zoe", "POST", f"/community/v1/spaces/{space}/posts", _POST)
    path = f"/community/v1/contents/{post['content_id']}/comments"
    with recorded_statements(platform) as statements:
        await platform.request_ok("zoe", "POST", path, {"body": "Là. 👍"})

    assert len(statements) == 4
    assert "INSERT INTO contents" in statements[-1]
