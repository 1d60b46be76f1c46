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
from tests.support.plain_clients import _partitions, fetch_as_owner
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
    deadline, rests = time.monotonic() + within, 0
    while True:
        asked = {name: await scene.status(http, name) for name in (*GROUPS, "identity")}
        found = {name: told for name, told in asked.items() if told is not None}
        groups = {name: told["groups"][name] for name, told in found.items() if told["groups"]}
        busy = [len(asked) - len(found), *(told["outbox"] for told in found.values())]
        busy += [each["lag"] + each["parked"] for each in groups.values()]
        rests = 0 if any(busy) else rests + 1
        if rests > 1:
            return groups
        assert time.monotonic() < deadline, f"not applied: {asked}"
        await asyncio.sleep(0.5)


async def read_sequences(scene: OverloadPlatform) -> SequencesByKey:
    """Read all topics, and give the sequences of each key as they stand in the log."""
    topics = sorted({fact.TOPIC for facts in PUBLISHERS.values() for fact in facts})
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    kafka = scene.addresses.cluster()
    reader = AIOKafkaConsumer(**kafka.client_options(), enable_auto_commit=False, group_id=None)
    await reader.start()
    try:
        places = await _partitions(kafka, topics)
        reader.assign(places)
        await reader.seek_to_beginning(*places)
        ends = await reader.end_offsets(places)
        while any([await reader.position(place) < ends[place] for place in places]):
            for place, records in (await reader.getmany(timeout_ms=200)).items():
                for record in records:
                    envelope = msgspec.json.decode(record.value)
                    key = (place.topic, envelope["partitionkey"])
                    found[key].append(int(envelope["sequence"]))
    finally:
        await reader.stop()
    return found


async def read_heads(scene: OverloadPlatform) -> dict[tuple[str, str], int]:
    """Ask every service's database for the last sequence of each key."""
    found: dict[tuple[str, str], int] = {}
    for service in (*GROUPS, "identity"):
        for row in await fetch_as_owner(
            scene.addresses, service, "SELECT topic, key, sequence FROM heads"
        ):
            found[row["topic"], row["key"]] = row["sequence"]
    return found


async def count_contents(scene: OverloadPlatform) -> int:
    """Count the posts and comments that stand in community's table."""
    query, tenants = "SELECT count(*) AS n FROM contents", str(scene.tenant)
    (row,) = await fetch_as_owner(scene.addresses, "community", query, tenants=tenants)
    return int(row["n"])


def find_disorder(log: SequencesByKey, heads: Mapping[tuple[str, str], int]) -> list[str]:
    """Say of which keys the log does not hold 1 to head, each for the first time in that order."""
    found = []
    for place, head in heads.items():
        first = list(dict.fromkeys(log.get(place, ())))
        if first != list(range(1, head + 1)):
            found.append(f"{place}: head {head}, log {first[:20]}…")
    return found


def count_repeated(log: SequencesByKey) -> int:
    """Count what was sent more than once (inboxes absorb it)."""
    return sum(len(each) - len(set(each)) for each in log.values())


def find_unaccounted(groups: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return which groups have not answered for each record once."""
    return [
        f"{name}: {told}"
        for name, told in groups.items()
        if told["published"] != sum(told[part] for part in COUNTER_NAMES) or told["dead_lettered"]
    ]
