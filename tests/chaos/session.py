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
from tests.chaos.aftermath import commits, dead_letters, effects, mend
from tests.chaos.backlog import Backlog, Look, events_in
from tests.chaos.checking.check import check, check_waiting
from tests.chaos.checking.known import Known
from tests.chaos.errors import internal, unexplained
from tests.chaos.foreign import Foreign
from tests.chaos.notes import FENCED, REVOKED, Notes
from tests.chaos.platform import Platform
from tests.chaos.promises import AWAY, CLEAN, DRAINED, EVERYBODY, Book, Kept, Span
from tests.chaos.run import Run
from tests.chaos.scene import OWN, Happened, Scene
from tests.chaos.violation import Violation
from tests.chaos.workload.journal import Outcome, read

REST_WITHIN = 120.0
"""Seconds until nothing is under way any more; not reaching it is a violation of I10."""
Work = Callable[[Platform, int, Path, float], Coroutine[object, object, None]]
"""The workload: on this platform, from this seed, into this journal, for so many seconds."""


@dataclass
class Result:
    """What came of a run."""

    seed: int
    journal: Path
    start: datetime = field(default_factory=lambda: datetime.now(UTC))
    happened: list[Happened] = field(default_factory=list)
    events: int = 0
    seconds: float = 0.0
    rest_after: float | None = None
    """Seconds from the end of faults and workload until nothing was under way."""
    check_seconds: float = 0.0
    replayed: int = 0
    unasked: dict[str, list[int]] = field(default_factory=dict)
    """Exit statuses of pods that nobody had asked to end."""
    probed: dict[str, list[str]] = field(default_factory=dict)
    """What liveness probes said of pods that were killed for it."""
    noted: dict[str, int] = field(default_factory=dict)
    """How many batches were given up at the fence, and how often partitions were taken away."""
    promises: Mapping[str, Kept] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)


@dataclass
class Sitting:
    """A platform, and the runs that it serves one after the other."""

    platform: Platform
    backlog: Backlog
    work: Work
    known: Known
    scene: Scene = field(init=False)

    def __post_init__(self) -> None:
        foreign = Foreign(self.platform.addresses.cluster())
        self.scene = Scene(self.platform, foreign, self.backlog)

    async def run(
        self, seed: int, only: tuple[str, ...] = (), also: tuple[str, ...] = ()
    ) -> Result:
        """Play one seed to its end."""
        self.scene.began = began = time.monotonic()
        self.scene.promises = Book()
        result = Result(seed, self.platform.home / f"journal-{seed}.ndjson")
        planned = schedule.plan(seed, only, also)
        for pod in self.platform.pods.values():
            pod.deaths, pod.probed_dead = [], []
        notes, logs = Notes(), [pod.log for pod in self.platform.pods.values()]
        notes.skip(logs)
        before = await self.backlog.look()
        async with asyncio.TaskGroup() as group:
            for each in planned:
                group.create_task(self._inflict(each, began, result))
            seconds = schedule.seconds(planned)
            group.create_task(self.work(self.platform, seed, result.journal, seconds))
        await asyncio.gather(*self.scene.watching)
        self.scene.watching.clear()
        over = time.monotonic()
        _count_accepted(result)
        at_rest = await self._rest(result)
        result.rest_after = time.monotonic() - over if at_rest else None
        if at_rest and before:
            result.events = events_in(at_rest) - events_in(before)
        if at_rest:
            result.violations += await commits(self.scene, Random(f"commits {seed}"))
            at_rest = await self._rest(result)
        noted = notes.counted(logs)
        for what in (FENCED, REVOKED):
            result.noted[what] = sum(n for (each, _), n in noted.items() if each == what)
        await self._judge(result, at_rest)
        result.seconds = time.monotonic() - began
        return result

    async def _inflict(self, planned: schedule.Planned, began: float, result: Result) -> None:
        await asyncio.sleep(max(0.0, began + planned.at - time.monotonic()))
        happened = Happened(planned.fault.name, time.monotonic() - began)
        result.happened.append(happened)
        OWN.set(happened.name)
        happened.what = await planned.fault.inflict(self.scene, planned.draw)
        happened.ended = time.monotonic() - began
        happened.recovered = await self.backlog.applied_after(REST_WITHIN)
        if happened.name.startswith("broker "):
            ended = None if happened.recovered is None else happened.ended + happened.recovered
            self.scene.measure(DRAINED, EVERYBODY, began=happened.ended, ended=ended)

    async def _rest(self, result: Result) -> Look | None:
        """Every fault is over: all pods up, dead letters of mended bugs replayed, all applied."""
        for pod in self.platform.pods.values():
            pod.tell(do="calm")
        ready = await asyncio.gather(*(pod.ready() for pod in self.platform.pods.values()))
        for pod, well in zip(self.platform.pods.values(), ready, strict=True):
            if not well:
                result.violations.append(Violation("I10", pod.name, "does not become ready"))
        deadline = time.monotonic() + REST_WITHIN
        while (found := await self.backlog.rest(deadline - time.monotonic())) is not None:
            result.violations += await check_waiting(self.platform.addresses, self.known)
            replayed = await mend(self.platform)
            result.replayed += replayed
            if replayed == 0:
                return found
        return None

    def _keep_promises(self, result: Result) -> None:
        spans = [Span(each.name, each.began, each.ended, each.what) for each in result.happened]
        if result.journal.exists():
            answered, start = list(read(result.journal)), result.start
            self.scene.measure(CLEAN, "clients", number=internal(answered))
            self.scene.measure(AWAY, "clients", number=unexplained(answered, spans, start))
        result.promises = self.scene.promises.sum_up(spans)
        result.violations += self.scene.promises.violations(spans)

    async def _judge(self, result: Result, at_rest: Look | None) -> None:
        began = time.monotonic()
        for name, pod in self.platform.pods.items():
            unasked = [death.status for death in pod.deaths if not death.asked]
            result.unasked |= {name: unasked} if unasked else {}
            result.probed |= {name: pod.probed_dead} if pod.probed_dead else {}
        self._keep_promises(result)
        result.violations += self.scene.violations
        self.scene.violations = []
        if at_rest is None:
            said = str(await self.backlog.look())
            result.violations.append(
                Violation("I10", "all", f"no rest in {REST_WITHIN:.0f} s: {said}")
            )
        run = Run(
            result.seed,
            self.platform.addresses,
            self.platform.urls,
            result.journal,
            self.platform.home,
            [self.platform.seeded.tenant],
        )
        # At once: each of them waits for servers for most of its time.
        looked = await asyncio.gather(
            dead_letters(self.scene),
            effects(self.scene),
            witness.testimony(self.platform.addresses),
            check(run, self.known),
        )
        result.violations += chain.from_iterable(looked)
        result.check_seconds = time.monotonic() - began


def _count_accepted(result: Result) -> None:
    """Count the requests that were answered with success while each fault lasted."""
    if not result.journal.exists():
        return
    ended = [
        (operation.ended - result.start).total_seconds()
        for operation in read(result.journal)
        if operation.outcome is Outcome.OK
    ]
    for each in result.happened:
        each.accepted = sum(each.began <= moment <= each.ended for moment in ended)
