"""The whole chain on real servers: `preau status` equals counts by an independent client."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from uuid_utils.compat import uuid7

from shared.contracts.community import PostPublished
from shared.contracts.event import Envelope, encode, encode_data, partition_key
from shared.contracts.ids import EventId, TenantId
from tests.oracle.__main__ import check
from tests.oracle.counting import count
from tests.support.plain_clients import (
    RecordPosition,
    count_records,
    fetch_as_owner,
    produce,
    read_ledger,
)
from tests.system.conftest import Platform

pytestmark = [
    pytest.mark.system,
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.timeout(300),
]
DUMP = Path(__file__).with_name("dump")
SPACE = "Entraide d’été ☀️"
READERS = ("identity", "community", "moderation", "notifications", "metrics")


def status(platform: Platform) -> dict[str, dict[str, Any]]:
    groups: dict[str, dict[str, Any]] = platform.json("status", "--wait")["groups"]
    return groups


def post(**changed: object) -> tuple[bytes, bytes]:
    """Build a post of an unknown tenant, as key and record."""
    fact, tenant = PostPublished.example(), TenantId(uuid7())
    now = datetime.now(UTC)
    envelope = Envelope(
        id=EventId(uuid7()),
        type=fact.wire_type(),
        source="/elsewhere",
        subject=str(fact.ref.id),
        time=now,
        tenant=tenant,
        partitionkey=partition_key(tenant, fact),
        sequence="0000000001",
        recordedtime=now,
        correlationid="ailleurs",
        data=encode_data(fact),
    )
    fields = msgspec.json.decode(encode(envelope)) | changed
    return envelope.partitionkey.encode(), msgspec.json.encode(fields)


async def assert_counts_match(platform: Platform, groups: Mapping[str, Mapping[str, Any]]) -> None:
    for name, counts in groups.items():
        tables, topics = await read_ledger(platform.addresses, name)
        assert {column: counts[column] for column in tables} == tables, name
        published = await count_records(platform.addresses.cluster(), sorted(topics))
        assert counts["published"] == sum(published.values()), (name, published)
        assert counts["published"] == sum(tables.values()) + counts["lag"], name


def test_import_and_its_repetition_agree_with_the_dump(platform: Platform) -> None:
    """Rows by kind and outcome, events, and every month of every figure, counted from the XML."""
    assert check(count(DUMP), DUMP, SPACE, platform.environment) == 0


async def test_status_equals_counts_by_plain_client_and_sql(platform: Platform) -> None:
    groups = status(platform)

    assert set(groups) <= set(READERS)
    assert len(groups) >= 4
    await assert_counts_match(platform, groups)


async def test_poison_record_is_dead_lettered_and_its_neighbours_are_applied(
    platform: Platform,
) -> None:
    counts_before = status(platform)
    kafka = platform.addresses.cluster()
    key, good = post()
    await produce(kafka, PostPublished.TOPIC, key, good)
    position = await produce(kafka, PostPublished.TOPIC, key, b'{"specversion": "1.0", "id": \xff')
    _, second_good = post(partitionkey=key.decode(), tenant=key.decode().split(":")[0])
    await produce(kafka, PostPublished.TOPIC, key, second_good)

    groups = status(platform)

    letters = platform.json("dead-letters", "list")["dead_letters"]
    own_letters = [
        letter
        for letter in letters
        if (letter["partition"], letter["offset"]) == partition_and_offset(position)
    ]
    readers = {name for name in groups if PostPublished.TOPIC in await topics_of(platform, name)}
    assert {letter["group"] for letter in own_letters} == readers
    assert readers >= {"moderation", "notifications", "metrics"}
    for name in readers:
        moved = {
            c: groups[name][c] - counts_before[name][c] for c in ("published", "dead_lettered")
        }
        assert moved["dead_lettered"] == 1, (name, moved)
        assert groups[name]["lag"] == 0
        assert groups[name]["parked"] == counts_before[name]["parked"], platform.json(
            "dead-letters", "list", "--all"
        )
    assert groups["moderation"]["applied"] >= counts_before["moderation"]["applied"] + 2
    await assert_counts_match(platform, groups)


async def test_dead_letter_is_published_and_can_be_skipped(
    platform: Platform,
) -> None:
    position = await produce(platform.addresses.cluster(), PostPublished.TOPIC, b"k", b"<html>")
    groups = status(platform)

    dead = await count_records(platform.addresses.cluster(), ["dead.metrics"])
    assert dead["dead.metrics"] == groups["metrics"]["dead_lettered"]
    shown = platform.command("dead-letters", "show", "metrics", str(position))
    assert "<html>" in shown.stdout
    skipped = platform.command(
        "dead-letters", "skip", "metrics", str(position), "--reason", "du bruit"
    )
    assert skipped.returncode == 0, skipped.stderr
    assert platform.command("dead-letters", "replay", "metrics", str(position)).returncode == 1
    left = platform.json("dead-letters", "list")["dead_letters"]
    assert str(position) not in [
        f"{letter['topic']}/{letter['partition']}/{letter['offset']}"
        for letter in left
        if letter["group"] == "metrics"
    ]


async def test_unknown_or_newer_type_is_ignored_and_counted(platform: Platform) -> None:
    counts_before = status(platform)
    for kind in ("community.post.sung.v1", "community.post.published.v99"):
        await produce(platform.addresses.cluster(), PostPublished.TOPIC, *post(type=kind))

    groups = status(platform)

    moved = {
        name: {
            c: groups[name][c] - counts_before[name][c] for c in ("ignored", "applied", "parked")
        }
        for name in groups
        if PostPublished.TOPIC in await topics_of(platform, name)
    }
    assert moved["metrics"] == {"ignored": 2, "applied": 0, "parked": 0}
    assert all(counts["ignored"] >= 2 for counts in moved.values())


async def test_forged_tenant_is_a_dead_letter_in_every_group(platform: Platform) -> None:
    (tenant,) = await fetch_as_owner(
        platform.addresses, "identity", "SELECT tenant_id FROM tenants LIMIT 1"
    )
    key, forged = post(tenant=str(tenant["tenant_id"]))
    position = await produce(platform.addresses.cluster(), PostPublished.TOPIC, key, forged)
    status(platform)

    letters = platform.json("dead-letters", "list")["dead_letters"]

    causes = [
        letter["cause"]
        for letter in letters
        if (letter["partition"], letter["offset"]) == partition_and_offset(position)
    ]
    assert len(causes) >= 3
    assert all(cause.startswith("tenant_mismatch") for cause in causes)


async def test_demo_runs_to_its_end(platform: Platform) -> None:
    completed = await asyncio.to_thread(platform.module, "deploy.local", "demo")

    assert completed.returncode == 0, completed.stderr
    for word in ("insult", "alert", "decides", "figures moved"):
        assert word in completed.stdout
    await assert_counts_match(platform, status(platform))


async def topics_of(platform: Platform, group: str) -> set[str]:
    return (await read_ledger(platform.addresses, group))[1]


def partition_and_offset(position: RecordPosition) -> tuple[int, int]:
    return position.partition, position.offset
