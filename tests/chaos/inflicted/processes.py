"""Faults of a pod: it dies at the worst moment, is told to stop, sleeps, is slow, has a bug."""

import asyncio
import signal
from collections.abc import Sequence
from functools import partial
from random import Random

from deploy.local.platform import NAMES
from shared.kit.core.failpoints import STEPS
from tests.chaos.backlog import GROUPS
from tests.chaos.fault_injection import InjectedBug
from tests.chaos.notes import Notes
from tests.chaos.pods import GRACE, Pod
from tests.chaos.promises import GONE
from tests.chaos.scene import Scene, until
from tests.chaos.violation import Violation
from tests.chaos.watching import dead_of, rebalances, resumed

WITHIN = 10.0
"""Seconds that an armed step may take to come."""
READING = ("batch.", "offsets.", "parked.")
READY = 90.0


async def kill_at_step(scene: Scene, draw: Random) -> str:
    """kill -9 a service, at one of its steps, at one of the next times that it comes there."""
    step = draw.choice(sorted(STEPS))
    services = GROUPS if step.startswith(READING) else NAMES
    service = draw.choice(services)
    nth = draw.choice((1, 1, 2, 3, 7))
    modulus = draw.randint(2, 5)
    async with scene.turn(service):
        died = await _kill_at(scene.platform.of(service), step, nth, modulus)
    if died:
        scene.watch(resumed(scene, service))
    return f"{service} at {step}, pass {nth}" + ("" if died else " (not reached)")


async def _kill_at(pods: Sequence[Pod], step: str, nth: int, modulus: int) -> bool:
    """Arm these pods; the first that comes there dies. False when none does."""
    before = sum(len(pod.deaths) for pod in pods)
    for pod in pods:
        if step.startswith("parked."):
            pod.tell(do="bug", modulus=modulus)
            mend = partial(pod.tell, do="bug", modulus=0)
            asyncio.get_running_loop().call_later(2.0, mend)
        pod.tell(do="arm", step=step, nth=nth, act="kill")
        pod.asked = True
    died = await until(lambda: sum(len(pod.deaths) for pod in pods) > before, WITHIN)
    for pod in pods:
        pod.tell(do="calm")
    # Another of them may have been there at the same moment.
    await asyncio.sleep(0.2)
    for pod in pods:
        pod.asked = False
    return died


async def terminate(scene: Scene, draw: Random) -> str:
    """SIGTERM under load: it ends within its grace, with exit status 0."""
    pod = _pod(scene, draw)
    async with scene.turn(pod.service):
        return await terminate_in_turn(scene, pod)


async def terminate_in_turn(scene: Scene, pod: Pod) -> str:
    """Tell a pod whose service's turn is ours to end, and see that it does."""
    if not await pod.ready(READY):
        return f"{pod.name} was not ready"
    deaths, began = len(pod.deaths), scene.now()
    pod.signal(signal.SIGTERM)
    ended = await until(lambda: len(pod.deaths) > deaths, GRACE)
    seconds = scene.now() - began
    # Whatever else there is: nobody is asked how long Kubernetes waits.
    scene.measure(GONE, f"pod {pod.name}", began=began, ended=scene.now() if ended else None)
    if not ended:
        pod.signal(signal.SIGKILL)
        scene.violations.append(Violation("grace", pod.name, f"still there after {GRACE:.0f} s"))
    elif pod.deaths[-1].status != 0:
        said = f"exit status {pod.deaths[-1].status} after SIGTERM"
        scene.violations.append(Violation("grace", pod.name, said))
    return f"{pod.name}, gone after {seconds:.1f} s"


async def kill_anywhere(scene: Scene, draw: Random) -> str:
    """kill -9 at no particular moment."""
    pod = _pod(scene, draw)
    async with scene.turn(pod.service):
        pod.signal(signal.SIGKILL)
    scene.watch(resumed(scene, pod.service))
    return pod.name


async def zombie(scene: Scene, draw: Random) -> str:
    """A pod stands still for longer than its session, and wakes up as if nothing were."""
    twins = [pod for pod in scene.platform.pods.values() if "api" not in pod.roles]
    pod = draw.choice(twins) if draw.random() < 0.7 else _pod(scene, draw)
    seconds = draw.uniform(12, 30)
    step = draw.choice(("", "batch.claimed", "batch.reacted", "relay.read", "relay.sent"))
    if step:
        # In the middle of its work: the process itself stands still there.
        pod.asleep = True
        pod.tell(do="arm", step=step, nth=1, act="sleep", seconds=seconds)
        await asyncio.sleep(seconds + 1)
        pod.tell(do="calm")
    else:
        pod.asleep = True
        pod.signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        pod.signal(signal.SIGCONT)
    pod.asleep = False
    return f"{pod.name} for {seconds:.0f} s" + (f" at {step}" if step else "")


async def slow(scene: Scene, draw: Random) -> str:
    """Each batch takes longer than the poll limit of its group."""
    group = "notifications"
    pods, seconds = scene.platform.of(group), scene.platform.poll_limit * draw.uniform(1.2, 1.6)
    notes = Notes()
    notes.skip(pod.log for pod in pods)
    for pod in pods:
        pod.tell(do="slow", seconds=seconds)
    await asyncio.sleep(seconds * 1.2)
    for pod in pods:
        pod.tell(do="calm")
    rebalances(scene, group, notes)
    return f"{group}: {seconds:.0f} s each batch, with a limit of {scene.platform.poll_limit:.0f} s"


async def handler_bug(scene: Scene, draw: Random) -> str:
    """Some events cannot be applied for a while: they and their keys wait, all others go on."""
    modulus, seconds, group = draw.randint(5, 60), draw.uniform(1, 6), draw.choice(GROUPS)
    return await _bug(scene, group, modulus=modulus, seconds=seconds)


async def long_bug(scene: Scene, draw: Random) -> str:
    """The same for longer than all retries: dead letters, replayed when the bug is mended."""
    modulus, seconds, group = draw.randint(40, 200), draw.uniform(20, 24), draw.choice(GROUPS)
    scene.watch(dead_of(scene, group, InjectedBug.__name__, scene.now() + seconds))
    return await _bug(scene, group, modulus=modulus, seconds=seconds)


async def bad_deployment(scene: Scene, draw: Random) -> str:
    """Nothing at all can be applied for a while: the group stops rather than bury everything."""
    seconds, group = draw.uniform(1, 4), draw.choice(GROUPS)
    return await _bug(scene, group, modulus=1, seconds=seconds)


async def _bug(scene: Scene, group: str, *, modulus: int, seconds: float) -> str:
    for pod in scene.platform.of(group):
        pod.tell(do="bug", modulus=modulus)
    await asyncio.sleep(seconds)
    for pod in scene.platform.of(group):
        pod.tell(do="bug", modulus=0)
    return f"one in {modulus} fails in {group} for {seconds:.0f} s"


def _pod(scene: Scene, draw: Random) -> Pod:
    pods = scene.platform.pods
    return pods[draw.choice(sorted(pods))]
