"""Nothing lost, nothing twice, in order: counted by plain SQL and a bare client."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer

from shared.contracts.catalogue import PUBLISHERS
from tests.chaos.workload.http_client import HttpClient
from tests.support.plain_clients import fetch_as_owner, list_partitions
from tests.system.overload.platform import OverloadPlatform

GROUPS = ("community", "moderation", "notifications", "metrics")
COUNTER_NAMES = ("applied", "ignored", "duplicate", "parked", "dead_lettered", "lag")
SequencesByKey = Mapping[tuple[str, str], list[int]]


async def wait_until_applied(
    scene: OverloadPlatform, http: HttpClient, within: float
) -> dict[str, dict[str, Any]]:
    """Wait until no outbox and no group has anything left, twice in a row; give the counts.

    A group that applies a fact may write another, so one look at rest is not enough.
    """
    deadline, idle_polls = time.monotonic() + within, 0
    while True:
        statuses = {name: await scene.status(http, name) for name in (*GROUPS, "identity")}
        known_statuses = {name: status for name, status in statuses.items() if status is not None}
        groups = {
            name: status["groups"][name]
            for name, status in known_statuses.items()
            if status["groups"]
        }
        busy = [
            len(statuses) - len(known_statuses),
            *(status["outbox"] for status in known_statuses.values()),
        ]
        busy += [group["lag"] + group["parked"] for group in groups.values()]
        idle_polls = 0 if any(busy) else idle_polls + 1
        if idle_polls > 1:
            return groups
        assert time.monotonic() < deadline, f"not applied: {statuses}"
        await asyncio.sleep(0.5)


async def read_sequences(scene: OverloadPlatform) -> SequencesByKey:
    """Read all topics and return the sequences of each key, in log order."""
    topics = sorted({fact.TOPIC for facts in PUBLISHERS.values() for fact in facts})
    sequences: dict[tuple[str, str], list[int]] = defaultdict(list)
    kafka = scene.addresses.cluster()
    reader = AIOKafkaConsumer(**kafka.client_options(), enable_auto_commit=False, group_id=None)
    await reader.start()
    try:
        partitions = await list_partitions(kafka, topics)
        reader.assign(partitions)
        await reader.seek_to_beginning(*partitions)
        ends = await reader.end_offsets(partitions)
        while any([await reader.position(partition) < ends[partition] for partition in partitions]):
            for partition, records in (await reader.getmany(timeout_ms=200)).items():
                for record in records:
                    envelope = msgspec.json.decode(record.value)
                    key = (partition.topic, envelope["partitionkey"])
                    sequences[key].append(int(envelope["sequence"]))
    finally:
        await reader.stop()
    return sequences


async def read_heads(scene: OverloadPlatform) -> dict[tuple[str, str], int]:
    """Ask every service's database for the last sequence of each key."""
    heads: dict[tuple[str, str], int] = {}
    for service in (*GROUPS, "identity"):
        for row in await fetch_as_owner(
            scene.addresses, service, "SELECT topic, key, sequence FROM heads"
        ):
            heads[row["topic"], row["key"]] = row["sequence"]
    return heads


async def count_contents(scene: OverloadPlatform) -> int:
    """Count the posts and comments in community's table."""
    query, tenants = "SELECT count(*) AS n FROM contents", str(scene.tenant)
    (row,) = await fetch_as_owner(scene.addresses, "community", query, tenants=tenants)
    return int(row["n"])


def find_disorder(log: SequencesByKey, heads: Mapping[tuple[str, str], int]) -> list[str]:
    """Say of which keys the log does not hold 1 to head, each for the first time in that order."""
    disorder = []
    for key, head in heads.items():
        distinct = list(dict.fromkeys(log.get(key, ())))
        if distinct != list(range(1, head + 1)):
            disorder.append(f"{key}: head {head}, log {distinct[:20]}…")
    return disorder


def count_repeated(log: SequencesByKey) -> int:
    """Count the records that were sent more than once (the inbox deduplicates them)."""
    return sum(len(sequences) - len(set(sequences)) for sequences in log.values())


def find_unaccounted(groups: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return which groups have not answered for each record once."""
    return [
        f"{name}: {counts}"
        for name, counts in groups.items()
        if counts["published"] != sum(counts[part] for part in COUNTER_NAMES)
        or counts["dead_lettered"]
    ]
