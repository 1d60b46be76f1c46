"""Faults that are none: pods come and go while they work, and another build takes a turn."""

import asyncio
import signal
from inspect import signature
from random import Random

from shared.kit.core.bus import Reading
from tests.chaos import next_build
from tests.chaos.foreign import conversations
from tests.chaos.inflicted.processes import READY, terminate_in_turn
from tests.chaos.inflicted.records import tenant_of
from tests.chaos.notes import Notes
from tests.chaos.platform import TWINS
from tests.chaos.pods import Pod
from tests.chaos.scene import Scene, until

READERS = ("metrics", "moderation")
"""Those that read posts, of which there is no end, and may take long for a batch."""
TRICKLE, AT_ONCE, EACH = 0.7, 20, 2
"""Seconds between some posts and the next; how many conversations, of how many posts each."""
SESSION: float = signature(Reading).parameters["session_timeout"].default
TAKES_OVER = 30.0
"""Seconds that a pod of another build may take to come."""


async def scaling(scene: Scene, draw: Random) -> str:
    """A pod goes for longer than its session and comes back, while each batch takes seconds.

    A restart alone moves no partition: members are static. Here they change hands twice, in the
    middle of a batch of the one that stays, for posts keep coming.
    """
    service, seconds = draw.choice(READERS), draw.uniform(5, 8)
    going, staying = draw.sample(scene.platform.of(service), 2)
    away, over = SESSION + draw.uniform(1, 4), asyncio.Event()
    trickle = asyncio.create_task(_trickle(scene, draw, over))
    try:
        async with scene.turn(service):
            staying.tell(do="slow", seconds=seconds)
            going.away = away
            told = await terminate_in_turn(scene, going)
            going.away = await asyncio.sleep(away, 0.0)
            await going.ready(TAKES_OVER)
            # It takes its share from the other, who is busy with it.
            await asyncio.sleep(2 * seconds)
    finally:
        going.away = 0.0
        over.set()
        await trickle
        staying.tell(do="calm")
    return f"{told}, away for {away:.0f} s; {staying.name}: {seconds:.1f} s each batch"


async def _trickle(scene: Scene, draw: Random, over: asyncio.Event) -> None:
    """Write some posts again and again, of a tenant of its own."""
    tenant, draws = tenant_of(draw), Random(draw.random())
    while not over.is_set():
        records = conversations(draws, tenant, AT_ONCE, EACH)
        await scene.foreign.send(records)
        scene.effects[tenant] = scene.effects.get(tenant, 0) + len(records)
        await asyncio.sleep(TRICKLE)


async def next_build_for_a_while(scene: Scene, draw: Random) -> str:
    """A writer and a reader are of the next build for a while, beside others of this one."""
    writer = scene.platform.pods[draw.choice(("community", "moderation"))]
    reader = scene.platform.pods[f"{draw.choice(TWINS)}-2"]
    seconds, notes = draw.uniform(6, 10), Notes()
    pods = list({pod.name: pod for pod in (writer, reader)}.values())
    notes.skip(pod.log for pod in pods)
    for pod in pods:
        await _replace(scene, pod, {next_build.NEXT: "1"})
    await asyncio.sleep(seconds)
    for pod in pods:
        await _replace(scene, pod, {})
    counted = notes.counted(pod.log for pod in pods)
    told = ", ".join(f"{what} some" for (what, _), _ in sorted(counted.items()) if "-" in what)
    wrote = "wrote some" if any(what == next_build.WROTE for what, _ in counted) else "wrote none"
    return f"{writer.name} and {reader.name} for {seconds:.0f} s: {wrote}, {told or 'read none'}"


async def _replace(scene: Scene, pod: Pod, also: dict[str, str]) -> None:
    """Let the next process of this pod be another; returns when it serves."""
    async with scene.turn(pod.service):
        await pod.ready(READY)
        deaths = len(pod.deaths)
        plain = {name: word for name, word in pod.environment.items() if name != next_build.NEXT}
        pod.environment = plain | also
        pod.signal(signal.SIGTERM)
        await until(lambda: len(pod.deaths) > deaths, TAKES_OVER)
        await pod.ready(TAKES_OVER)
