"""Faults of a pod: killed at a step, terminated, suspended, slow, or with a bug."""

import asyncio
import signal
from collections.abc import Sequence
from functools import partial
from random import Random

from deploy.local.platform import SERVICE_NAMES
from shared.kit.core.failpoints import FAILPOINTS
from tests.chaos.backlog import GROUPS
from tests.chaos.fault_injection import InjectedBug
from tests.chaos.log_counts import LogCounter
from tests.chaos.objectives import POD_TERMINATED
from tests.chaos.pods import TERMINATION_GRACE_SECONDS, Pod
from tests.chaos.recovery import measure_dead_letter_age, measure_rebalances, measure_recovery
from tests.chaos.run_context import RunContext, wait_until
from tests.chaos.violation import Violation

STEP_TIMEOUT_SECONDS = 10.0
"""Seconds that an armed step may take to come."""
CONSUMER_STEP_PREFIXES = ("batch.", "offsets.", "parked.")
READY_TIMEOUT_SECONDS = 90.0


async def kill_at_step(context: RunContext, rng: Random) -> str:
    """kill -9 a service, at one of its steps, at one of the next times that it comes there."""
    step = rng.choice(sorted(FAILPOINTS))
    services = GROUPS if step.startswith(CONSUMER_STEP_PREFIXES) else SERVICE_NAMES
    service = rng.choice(services)
    nth = rng.choice((1, 1, 2, 3, 7))
    modulus = rng.randint(2, 5)
    async with context.lock_of(service):
        was_killed = await _kill_at(context.platform.pods_of(service), step, nth, modulus)
    if was_killed:
        context.measure_in_background(measure_recovery(context, service))
    return f"{service} at {step}, pass {nth}" + ("" if was_killed else " (not reached)")


async def _kill_at(pods: Sequence[Pod], step: str, nth: int, modulus: int) -> bool:
    """Arm these pods, so that the first to reach the step is killed. False when none reaches it."""
    exits_before = sum(len(pod.exits) for pod in pods)
    for pod in pods:
        if step.startswith("parked."):
            pod.send_command(do="bug", modulus=modulus)
            mend = partial(pod.send_command, do="bug", modulus=0)
            asyncio.get_running_loop().call_later(2.0, mend)
        pod.send_command(do="arm", step=step, nth=nth, act="kill")
        pod.exit_expected = True
    was_killed = await wait_until(
        lambda: sum(len(pod.exits) for pod in pods) > exits_before, STEP_TIMEOUT_SECONDS
    )
    for pod in pods:
        pod.send_command(do="calm")
    # Another of them may have been there at the same moment.
    await asyncio.sleep(0.2)
    for pod in pods:
        pod.exit_expected = False
    return was_killed


async def terminate(context: RunContext, rng: Random) -> str:
    """SIGTERM under load: it ends within its grace, with exit status 0."""
    pod = _random_pod(context, rng)
    async with context.lock_of(pod.service):
        return await terminate_locked(context, pod)


async def terminate_locked(context: RunContext, pod: Pod) -> str:
    """Terminate a pod and check its exit; the caller holds the service's lock."""
    if not await pod.wait_until_ready(READY_TIMEOUT_SECONDS):
        return f"{pod.name} was not ready"
    deaths, began = len(pod.exits), context.now()
    pod.send_signal(signal.SIGTERM)
    ended = await wait_until(lambda: len(pod.exits) > deaths, TERMINATION_GRACE_SECONDS)
    seconds = context.now() - began
    # Other faults are no excuse: Kubernetes does not wait longer for them.
    context.measure(
        POD_TERMINATED, f"pod {pod.name}", began=began, ended=context.now() if ended else None
    )
    if not ended:
        pod.send_signal(signal.SIGKILL)
        context.violations.append(
            Violation("grace", pod.name, f"still there after {TERMINATION_GRACE_SECONDS:.0f} s")
        )
    elif pod.exits[-1].status != 0:
        text = f"exit status {pod.exits[-1].status} after SIGTERM"
        context.violations.append(Violation("grace", pod.name, text))
    return f"{pod.name}, gone after {seconds:.1f} s"


async def kill_at_random(context: RunContext, rng: Random) -> str:
    """kill -9 at no particular moment."""
    pod = _random_pod(context, rng)
    async with context.lock_of(pod.service):
        pod.send_signal(signal.SIGKILL)
    context.measure_in_background(measure_recovery(context, pod.service))
    return pod.name


async def suspend_pod(context: RunContext, rng: Random) -> str:
    """Suspend a pod for longer than its session timeout, then resume it."""
    twins = [pod for pod in context.platform.pods.values() if "api" not in pod.roles]
    pod = rng.choice(twins) if rng.random() < 0.7 else _random_pod(context, rng)
    seconds = rng.uniform(12, 30)
    step = rng.choice(("", "batch.claimed", "batch.reacted", "relay.read", "relay.sent"))
    if step:
        # In the middle of its work: the process itself stands still there.
        pod.suspended = True
        pod.send_command(do="arm", step=step, nth=1, act="sleep", seconds=seconds)
        await asyncio.sleep(seconds + 1)
        pod.send_command(do="calm")
    else:
        pod.suspended = True
        pod.send_signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        pod.send_signal(signal.SIGCONT)
    pod.suspended = False
    return f"{pod.name} for {seconds:.0f} s" + (f" at {step}" if step else "")


async def slow_consumer(context: RunContext, rng: Random) -> str:
    """Each batch takes longer than the poll limit of its group."""
    group = "notifications"
    pods, seconds = (
        context.platform.pods_of(group),
        context.platform.poll_limit_seconds * rng.uniform(1.2, 1.6),
    )
    notes = LogCounter()
    notes.skip_to_end(pod.log for pod in pods)
    for pod in pods:
        pod.send_command(do="slow", seconds=seconds)
    await asyncio.sleep(seconds * 1.2)
    for pod in pods:
        pod.send_command(do="calm")
    measure_rebalances(context, group, notes)
    limit = context.platform.poll_limit_seconds
    return f"{group}: {seconds:.0f} s each batch, with a limit of {limit:.0f} s"


async def handler_bug(context: RunContext, rng: Random) -> str:
    """Let some events fail for a few seconds: only their keys wait."""
    modulus, seconds, group = rng.randint(5, 60), rng.uniform(1, 6), rng.choice(GROUPS)
    return await _bug(context, group, modulus=modulus, seconds=seconds)


async def long_bug(context: RunContext, rng: Random) -> str:
    """The same for longer than all retries: dead letters, replayed when the bug is mended."""
    modulus, seconds, group = rng.randint(40, 200), rng.uniform(20, 24), rng.choice(GROUPS)
    context.measure_in_background(
        measure_dead_letter_age(context, group, InjectedBug.__name__, context.now() + seconds)
    )
    return await _bug(context, group, modulus=modulus, seconds=seconds)


async def bad_deployment(context: RunContext, rng: Random) -> str:
    """Nothing at all can be applied for a while: the group stops rather than bury everything."""
    seconds, group = rng.uniform(1, 4), rng.choice(GROUPS)
    return await _bug(context, group, modulus=1, seconds=seconds)


async def _bug(context: RunContext, group: str, *, modulus: int, seconds: float) -> str:
    for pod in context.platform.pods_of(group):
        pod.send_command(do="bug", modulus=modulus)
    await asyncio.sleep(seconds)
    for pod in context.platform.pods_of(group):
        pod.send_command(do="bug", modulus=0)
    return f"one in {modulus} fails in {group} for {seconds:.0f} s"


def _random_pod(context: RunContext, rng: Random) -> Pod:
    pods = context.platform.pods
    return pods[rng.choice(sorted(pods))]
