"""`examples/subscriber` on the real broker: deduplicates, ignores, skips, continues the trace."""

import asyncio
import os
import sqlite3
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from uuid import uuid4

import pytest

from deploy.local.artifacts import REPOSITORY
from deploy.local.stack import StackAddresses
from shared.contracts.community import PostPublished
from shared.contracts.event import CONTENT_TYPE
from shared.kit.bus.kafka import KafkaBus
from shared.kit.bus.kafka.access import connect_as_admin
from shared.kit.bus.kafka.subscribers import add_subscriber
from shared.kit.core.bus import OutgoingRecord, Topic
from tests.contracts.records import GOLDEN_FOLDER

pytestmark = [pytest.mark.system, pytest.mark.allow_hosts(["127.0.0.1"])]

USER = "example-subscriber"
TRACE = "0af7651916cd43dd8448eb211c80319c"
POST = (GOLDEN_FOLDER / f"{PostPublished.wire_type()}.json").read_bytes()
UNKNOWN = POST.replace(b"community.post.published.v1", b"community.post.admired.v7", 1)
EVENT_ID = "01932b6e-4c00-7000-8000-000000000091"


@pytest.fixture
async def topic(stack_addresses: StackAddresses) -> str:
    """A topic of its own that holds a post twice, an unknown type, and bytes that are no event."""
    name = f"community.post.example-{uuid4().hex[:6]}"
    bus = KafkaBus(stack_addresses.cluster(), client_id="example")
    await bus.ensure_topics([Topic(name, partitions=1)])
    headers = (
        ("content-type", CONTENT_TYPE.encode()),
        ("traceparent", f"00-{TRACE}-b7ad6b7169203331-01".encode()),
    )
    values = (POST, UNKNOWN, b"\xff no JSON", POST)
    await bus.send([OutgoingRecord(name, b"key", value, headers) for value in values])
    await bus.close()
    return name


async def test_the_example_applies_a_post_once_and_continues_its_trace(
    stack_addresses: StackAddresses, topic: str, tmp_path: Path
) -> None:
    async with connect_as_admin(stack_addresses.cluster()) as access:
        password = await add_subscriber(access, USER, [topic])
    database = tmp_path / "posts.sqlite3"
    lines = await _first_lines(
        4,
        KAFKA=stack_addresses.kafka,
        KAFKA_USER=USER,
        KAFKA_PASSWORD=password,
        KAFKA_TOPIC=topic,
        DATABASE=str(database),
    )
    outcomes = [line.rpartition(" trace=")[0] for line in lines]
    assert outcomes == [
        f"applied {EVENT_ID}",
        "ignored community.post.admired.v7",
        "skipped",
        f"duplicate {EVENT_ID}",
    ]
    assert {line.rpartition("trace=")[2] for line in lines} == {TRACE}
    assert sqlite3.connect(database).execute("SELECT count(*) FROM posts").fetchone() == (1,)


def test_the_example_imports_only_the_contracts_of_the_platform() -> None:
    sources = "".join(
        file.read_text(encoding="utf-8")
        for file in (REPOSITORY / "examples" / "subscriber").glob("*.py")
    )
    assert "shared.contracts" in sources
    assert "shared.kit" not in sources
    assert "services." not in sources


async def _first_lines(count: int, **environment: str) -> list[str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "examples.subscriber.app"),
        stdout=PIPE,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment},
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            return [(await process.stdout.readline()).decode().strip() for _ in range(count)]
    finally:
        process.kill()
        await process.communicate()
