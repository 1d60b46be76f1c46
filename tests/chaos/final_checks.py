"""Final checks after the faults: dead letters, commits, effects of the suite's records."""

import asyncio
from random import Random

import httpx

from shared.contracts.community import PostPublished
from shared.kit.bus.kafka.committed_offsets import fetch_committed_offsets
from shared.kit.core.bus import Partition
from tests.chaos.backlog import GROUPS
from tests.chaos.faults.records import random_tenant
from tests.chaos.platform import Platform
from tests.chaos.raw_kafka import make_conversations
from tests.chaos.run_context import RunContext
from tests.chaos.violation import Violation
from tests.support.plain_clients import fetch_as_owner

INJECTED_BUG_CAUSE = "InjectedBug"
COMMIT_POLL_SECONDS, COMMIT_TIMEOUT_SECONDS = 0.3, 60.0
"""Seconds between two questions; and until a group must have applied and committed a few posts, on
a slow machine too."""
_DEAD = "SELECT * FROM parked WHERE consumer_group = $1 AND state = 'dead'"
_EFFECTS = "SELECT tenant_id, count(*) AS n FROM held_back GROUP BY 1"


async def replay_dead_letters(platform: Platform) -> int:
    """Replay the dead letters of bugs that are mended, as an operator would; say how many."""
    replayed = 0
    headers = {"authorization": f"Bearer {platform.operator_token()}"}
    async with httpx.AsyncClient(trust_env=False, timeout=30, headers=headers) as client:
        for group in GROUPS:
            rows = await fetch_as_owner(platform.addresses, group, _DEAD, group)
            replayable = sum(row["cause"].startswith(INJECTED_BUG_CAUSE) for row in rows)
            if replayable:
                url = f"{platform.urls[group]}/{group}/v1/operating/dead-letters"
                response = await client.post(
                    url, json={"decision": "replay", "cause": INJECTED_BUG_CAUSE}
                )
                response.raise_for_status()
                replayed += replayable
    return replayed


async def check_commits(context: RunContext, rng: Random) -> list[Violation]:
    """Write to every partition of posts, and see that each group that reads them commits it.

    Kafka's offsets are a copy, and a reader that was killed leaves them behind; but what tells lag
    by them is blind when a group has stopped to commit, and nothing else would show it.
    """
    tenant = random_tenant(rng)
    records = make_conversations(rng, tenant, 40, 1)
    ends: dict[Partition, int] = {}
    for topic, number, offset in await context.raw_kafka.send(records):
        partition = Partition(topic, number)
        ends[partition] = max(ends.get(partition, 0), offset + 1)
    context.expected_effects[tenant] = len(records)
    waiting_groups = {
        group for group in GROUPS if PostPublished.TOPIC in await _topics(context, group)
    }
    deadline = context.now() + COMMIT_TIMEOUT_SECONDS
    while waiting_groups and context.now() < deadline:
        for group in sorted(waiting_groups):
            offsets = await fetch_committed_offsets(context.platform.addresses.cluster(), group)
            if all(offsets.get(partition, 0) >= end for partition, end in ends.items()):
                waiting_groups.remove(group)
        await asyncio.sleep(COMMIT_POLL_SECONDS)
    text = f"has not committed in {COMMIT_TIMEOUT_SECONDS:.0f} s what was written after all faults"
    return [Violation("I10", group, text) for group in sorted(waiting_groups)]


async def check_dead_letters(context: RunContext) -> list[Violation]:
    """Check that each group's dead letters are exactly the poison records of its topics."""
    violations = []
    for group in GROUPS:
        rows = await fetch_as_owner(context.platform.addresses, group, _DEAD, group)
        topics = await _topics(context, group)
        dead = {(row["topic"], row["partition"], row["offset"]): row for row in rows}
        for position, row in dead.items():
            if position not in context.expected_dead_letters:
                text = f"{group} buried {position}: {row['cause']}"
                violations.append(Violation("I4", row["key"] or str(position), text))
            if not row["cause"]:
                violations.append(
                    Violation("I4", str(position), f"{group} buried it and says not why")
                )
        violations += [
            Violation("I4", str(position), f"{group} did not bury this poison")
            for position in context.expected_dead_letters
            if position[0] in topics and position not in dead
        ]
    return violations


async def _topics(context: RunContext, group: str) -> set[str]:
    query = "SELECT DISTINCT topic FROM positions WHERE consumer_group = $1"
    return {
        row["topic"]
        for row in await fetch_as_owner(context.platform.addresses, group, query, group)
    }


async def check_effects(context: RunContext) -> list[Violation]:
    """Check that each post of the suite's producer has exactly one effect in metrics."""
    if not context.expected_effects:
        return []
    tenants = ",".join(map(str, context.expected_effects))
    rows = await fetch_as_owner(context.platform.addresses, "metrics", _EFFECTS, tenants=tenants)
    counted = {row["tenant_id"]: row["n"] for row in rows}
    return [
        Violation("I4", str(tenant), f"{counted.get(tenant, 0)} effects of {number} foreign posts")
        for tenant, number in context.expected_effects.items()
        if counted.get(tenant, 0) != number
    ]
