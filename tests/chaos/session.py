"""One run: a workload, faults in it, then rest, then the checker."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from random import Random

from tests.chaos import applied_log as witness
from tests.chaos import schedule
from tests.chaos.backlog import BacklogMonitor, BacklogSnapshot, count_events
from tests.chaos.checker.check import check_pending, check_run
from tests.chaos.checker.state import CheckerState
from tests.chaos.final_checks import (
    check_commits,
    check_dead_letters,
    check_effects,
    replay_dead_letters,
)
from tests.chaos.finished_run import FinishedRun
from tests.chaos.log_counts import FENCED, REVOKED, LogCounter
from tests.chaos.objectives import (
    ALL_GROUPS,
    APPLIED_AFTER_OUTAGE,
    INTERNAL_ERRORS,
    UNEXPLAINED_ERRORS,
    FaultInterval,
    Measurements,
    ObjectiveResult,
)
from tests.chaos.platform import Platform
from tests.chaos.raw_kafka import RawKafka
from tests.chaos.run_context import CURRENT_FAULT, FaultRecord, RunContext
from tests.chaos.server_errors import count_internal_errors, count_unexplained_errors
from tests.chaos.violation import Violation
from tests.chaos.workload.journal import Outcome, read_journal

IDLE_TIMEOUT_SECONDS = 120.0
"""Seconds until nothing is under way any more; not reaching it is a violation of I10."""
Workload = Callable[[Platform, int, Path, float], Coroutine[object, object, None]]
"""The workload: on this platform, from this seed, into this journal, for so many seconds."""


@dataclass
class RunResult:
    """What came of a run."""

    seed: int
    journal: Path
    start: datetime = field(default_factory=lambda: datetime.now(UTC))
    faults: list[FaultRecord] = field(default_factory=list)
    events: int = 0
    seconds: float = 0.0
    idle_after_seconds: float | None = None
    """Seconds from the end of faults and workload until nothing was under way."""
    check_seconds: float = 0.0
    replayed_dead_letters: int = 0
    unexpected_exits: dict[str, list[int]] = field(default_factory=dict)
    """Exit statuses of pods that neither a fault nor the suite stopped."""
    probe_failures: dict[str, list[str]] = field(default_factory=dict)
    """What liveness probes said of pods that were killed for it."""
    log_counts: dict[str, int] = field(default_factory=dict)
    """How many batches were given up at the fence, and how often partitions were taken away."""
    objectives: Mapping[str, ObjectiveResult] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)


@dataclass
class ChaosSession:
    """A platform, and the runs that it serves one after the other."""

    platform: Platform
    backlog: BacklogMonitor
    workload: Workload
    checker_state: CheckerState
    context: RunContext = field(init=False)

    def __post_init__(self) -> None:
        foreign = RawKafka(self.platform.addresses.cluster())
        self.context = RunContext(self.platform, foreign, self.backlog)

    async def run(
        self, seed: int, only: tuple[str, ...] = (), also: tuple[str, ...] = ()
    ) -> RunResult:
        """Run one seed: workload and faults, wait until idle, check."""
        self.context.began = began = time.monotonic()
        self.context.measurements = Measurements()
        result = RunResult(seed, self.platform.home / f"journal-{seed}.ndjson")
        planned = schedule.plan_faults(seed, only, also)
        for pod in self.platform.pods.values():
            pod.exits, pod.probe_failures = [], []
        notes, logs = LogCounter(), [pod.log for pod in self.platform.pods.values()]
        notes.skip_to_end(logs)
        first_snapshot = await self.backlog.snapshot()
        async with asyncio.TaskGroup() as group:
            for planned_fault in planned:
                group.create_task(self._run_fault(planned_fault, began, result))
            seconds = schedule.workload_seconds(planned)
            group.create_task(self.workload(self.platform, seed, result.journal, seconds))
        await asyncio.gather(*self.context.background_measurements)
        self.context.background_measurements.clear()
        workload_ended = time.monotonic()
        _count_accepted(result)
        at_rest = await self._wait_until_idle(result)
        result.idle_after_seconds = time.monotonic() - workload_ended if at_rest else None
        if at_rest and first_snapshot:
            result.events = count_events(at_rest) - count_events(first_snapshot)
        if at_rest:
            result.violations += await check_commits(self.context, Random(f"commits {seed}"))
            at_rest = await self._wait_until_idle(result)
        counts = notes.count(logs)
        for event in (FENCED, REVOKED):
            result.log_counts[event] = sum(n for (name, _), n in counts.items() if name == event)
        await self._check(result, at_rest)
        result.seconds = time.monotonic() - began
        return result

    async def _run_fault(
        self, planned: schedule.PlannedFault, began: float, result: RunResult
    ) -> None:
        await asyncio.sleep(max(0.0, began + planned.start_seconds - time.monotonic()))
        record = FaultRecord(planned.fault.name, time.monotonic() - began)
        result.faults.append(record)
        CURRENT_FAULT.set(record.name)
        record.what = await planned.fault.action(self.context, planned.rng)
        record.ended = time.monotonic() - began
        record.recovered = await self.backlog.seconds_until_applied(IDLE_TIMEOUT_SECONDS)
        if record.name.startswith("broker "):
            ended = None if record.recovered is None else record.ended + record.recovered
            self.context.measure(APPLIED_AFTER_OUTAGE, ALL_GROUPS, began=record.ended, ended=ended)

    async def _wait_until_idle(self, result: RunResult) -> BacklogSnapshot | None:
        """Every fault is over: all pods up, dead letters of mended bugs replayed, all applied."""
        for pod in self.platform.pods.values():
            pod.send_command(do="calm")
        ready = await asyncio.gather(
            *(pod.wait_until_ready() for pod in self.platform.pods.values())
        )
        for pod, is_ready in zip(self.platform.pods.values(), ready, strict=True):
            if not is_ready:
                result.violations.append(Violation("I10", pod.name, "does not become ready"))
        deadline = time.monotonic() + IDLE_TIMEOUT_SECONDS
        while (
            snapshot := await self.backlog.wait_until_idle(deadline - time.monotonic())
        ) is not None:
            result.violations += await check_pending(self.platform.addresses, self.checker_state)
            replayed = await replay_dead_letters(self.platform)
            result.replayed_dead_letters += replayed
            if replayed == 0:
                return snapshot
        return None

    def _evaluate_objectives(self, result: RunResult) -> None:
        spans = [
            FaultInterval(fault.name, fault.began, fault.ended, fault.what)
            for fault in result.faults
        ]
        if result.journal.exists():
            answered, start = list(read_journal(result.journal)), result.start
            self.context.measure(INTERNAL_ERRORS, "clients", number=count_internal_errors(answered))
            self.context.measure(
                UNEXPLAINED_ERRORS,
                "clients",
                number=count_unexplained_errors(answered, spans, start),
            )
        result.objectives = self.context.measurements.summarize(spans)
        result.violations += self.context.measurements.violations(spans)

    async def _check(self, result: RunResult, at_rest: BacklogSnapshot | None) -> None:
        began = time.monotonic()
        for name, pod in self.platform.pods.items():
            unasked = [death.status for death in pod.exits if not death.expected]
            result.unexpected_exits |= {name: unasked} if unasked else {}
            result.probe_failures |= {name: pod.probe_failures} if pod.probe_failures else {}
        self._evaluate_objectives(result)
        result.violations += self.context.violations
        self.context.violations = []
        if at_rest is None:
            backlog = str(await self.backlog.snapshot())
            result.violations.append(
                Violation("I10", "all", f"no rest in {IDLE_TIMEOUT_SECONDS:.0f} s: {backlog}")
            )
        run = FinishedRun(
            result.seed,
            self.platform.addresses,
            self.platform.urls,
            result.journal,
            self.platform.home,
            [self.platform.seeded.tenant],
        )
        # At once: each of them waits for servers for most of its time.
        results = await asyncio.gather(
            check_dead_letters(self.context),
            check_effects(self.context),
            witness.find_violations(self.platform.addresses),
            check_run(run, self.checker_state),
        )
        result.violations += chain.from_iterable(results)
        result.check_seconds = time.monotonic() - began


def _count_accepted(result: RunResult) -> None:
    """Count the requests that were answered with success while each fault lasted."""
    if not result.journal.exists():
        return
    ended = [
        (operation.ended - result.start).total_seconds()
        for operation in read_journal(result.journal)
        if operation.outcome is Outcome.OK
    ]
    for fault in result.faults:
        fault.accepted = sum(fault.began <= moment <= fault.ended for moment in ended)
