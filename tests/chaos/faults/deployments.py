"""Deployments: pods leave and join under load, and another build runs for a while."""

import asyncio
import signal
from inspect import signature
from random import Random

from shared.kit.core.bus import SubscriptionConfig
from tests.chaos import next_build
from tests.chaos.faults.processes import READY_TIMEOUT_SECONDS, terminate_locked
from tests.chaos.faults.records import random_tenant
from tests.chaos.log_counts import LogCounter
from tests.chaos.platform import SERVICES_WITH_TWO_PODS
from tests.chaos.pods import Pod
from tests.chaos.raw_kafka import make_conversations
from tests.chaos.run_context import RunContext, wait_until

SCALED_SERVICES = ("metrics", "moderation")
"""Those that read posts, of which there is no end, and may take long for a batch."""
TRICKLE_INTERVAL_SECONDS, CONVERSATIONS_PER_WRITE, POSTS_PER_CONVERSATION = 0.7, 20, 2
"""Seconds between some posts and the next; how many conversations, of how many posts each."""
SESSION_TIMEOUT_SECONDS: float = (
    signature(SubscriptionConfig).parameters["session_timeout_seconds"].default
)
TAKEOVER_SECONDS = 30.0
"""Seconds that a pod of another build may take to come."""


async def scaling(context: RunContext, rng: Random) -> str:
    """A pod goes for longer than its session and comes back, while each batch takes seconds.

    A restart alone moves no partition: members are static. Here they change hands twice, in the
    middle of a batch of the one that stays, for posts keep coming.
    """
    service, seconds = rng.choice(SCALED_SERVICES), rng.uniform(5, 8)
    leaving_pod, staying_pod = rng.sample(context.platform.pods_of(service), 2)
    delay_seconds, finished = SESSION_TIMEOUT_SECONDS + rng.uniform(1, 4), asyncio.Event()
    trickle = asyncio.create_task(_trickle(context, rng, finished))
    try:
        async with context.lock_of(service):
            staying_pod.send_command(do="slow", seconds=seconds)
            leaving_pod.restart_delay_seconds = delay_seconds
            outcome = await terminate_locked(context, leaving_pod)
            leaving_pod.restart_delay_seconds = await asyncio.sleep(delay_seconds, 0.0)
            await leaving_pod.wait_until_ready(TAKEOVER_SECONDS)
            # It takes its share from the other, who is busy with it.
            await asyncio.sleep(2 * seconds)
    finally:
        leaving_pod.restart_delay_seconds = 0.0
        finished.set()
        await trickle
        staying_pod.send_command(do="calm")
    return (
        f"{outcome}, away for {delay_seconds:.0f} s; {staying_pod.name}: {seconds:.1f} s each batch"
    )


async def _trickle(context: RunContext, rng: Random, finished: asyncio.Event) -> None:
    """Write some posts repeatedly, until `finished` is set."""
    tenant, own_rng = random_tenant(rng), Random(rng.random())
    while not finished.is_set():
        records = make_conversations(
            own_rng, tenant, CONVERSATIONS_PER_WRITE, POSTS_PER_CONVERSATION
        )
        await context.raw_kafka.send(records)
        context.expected_effects[tenant] = context.expected_effects.get(tenant, 0) + len(records)
        await asyncio.sleep(TRICKLE_INTERVAL_SECONDS)


async def run_next_build(context: RunContext, rng: Random) -> str:
    """A writer and a reader are of the next build for a while, beside others of this one."""
    writer = context.platform.pods[rng.choice(("community", "moderation"))]
    reader = context.platform.pods[f"{rng.choice(SERVICES_WITH_TWO_PODS)}-2"]
    seconds, notes = rng.uniform(6, 10), LogCounter()
    pods = list({pod.name: pod for pod in (writer, reader)}.values())
    notes.skip_to_end(pod.log for pod in pods)
    for pod in pods:
        await _replace(context, pod, {next_build.NEXT_BUILD_VARIABLE: "1"})
    await asyncio.sleep(seconds)
    for pod in pods:
        await _replace(context, pod, {})
    counted = notes.count(pod.log for pod in pods)
    summary = ", ".join(
        f"{event} some" for (event, _), _ in sorted(counted.items()) if "-" in event
    )
    wrote = "wrote some" if any(event == next_build.WROTE for event, _ in counted) else "wrote none"
    return f"{writer.name} and {reader.name} for {seconds:.0f} s: {wrote}, {summary or 'read none'}"


async def _replace(context: RunContext, pod: Pod, also: dict[str, str]) -> None:
    """Let the next process of this pod be another; returns when it serves."""
    async with context.lock_of(pod.service):
        await pod.wait_until_ready(READY_TIMEOUT_SECONDS)
        deaths = len(pod.exits)
        plain = {
            name: word
            for name, word in pod.environment.items()
            if name != next_build.NEXT_BUILD_VARIABLE
        }
        pod.environment = plain | also
        pod.send_signal(signal.SIGTERM)
        await wait_until(lambda: len(pod.exits) > deaths, TAKEOVER_SECONDS)
        await pod.wait_until_ready(TAKEOVER_SECONDS)
