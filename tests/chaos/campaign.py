"""Many runs: seeds, platforms, what is printed and what is kept."""

import asyncio
import itertools
import random
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tests.chaos.backlog import BacklogMonitor
from tests.chaos.checker.state import CheckerState
from tests.chaos.disabled_guards import FAULTS_OF_MUTANT
from tests.chaos.key_history import read_key_history
from tests.chaos.platform import start_platform
from tests.chaos.session import ChaosSession, RunResult
from tests.chaos.workload_runner import count_outcomes, workload_at
from tests.support.stack_process import REPOSITORY

RUN_LOG = REPOSITORY / "build" / "chaos.ndjson"
RUNS_PER_PLATFORM = 10
"""Then a new one: the checker compares all that it holds each time."""
MAX_KEYS_SHOWN = 3


@dataclass(frozen=True)
class Options:
    """What was asked for on the command line."""

    seed: int | None = None
    runs: int = 1
    minutes: float | None = None
    fresh: bool = False
    mutant: str = ""
    only: tuple[str, ...] = ()
    small_disk: bool = False
    rate: float = 40.0
    quiet: bool = False
    keep: bool = False


@dataclass
class Campaign:
    """Runs one after the other, until one breaks a promise."""

    options: Options
    runs: int = 0
    events: int = 0
    failed_run: RunResult | None = None

    async def run(self) -> int:
        """Play all runs; the exit status."""
        seeds = self._seeds()
        ends = time.monotonic() + 60 * (self.options.minutes or 10**6)
        left = self.options.runs
        while left > 0 and time.monotonic() < ends and self.failed_run is None:
            share = min(left, 1 if self.options.fresh else RUNS_PER_PLATFORM)
            async with self._sitting() as sitting:
                for seed in itertools.islice(seeds, share):
                    left -= 1
                    result = await self._run(sitting, seed)
                    if result.violations or time.monotonic() > ends:
                        break
        told = f"{self.runs} runs, {self.events:,} events, "
        print(told + ("no violation" if self.failed_run is None else "VIOLATED"), flush=True)
        return 0 if self.failed_run is None else 1

    def _seeds(self) -> Iterator[int]:
        first = self.options.seed
        if first is None:
            first = random.SystemRandom().randrange(1, 10**9)
            print(f"first seed {first}", flush=True)
        return itertools.count(first)

    @asynccontextmanager
    async def _sitting(self) -> AsyncIterator[ChaosSession]:
        folder, known = Path(tempfile.mkdtemp(prefix="préau-chaos-")), CheckerState()
        options, done = self.options, False
        try:
            async with (
                start_platform(
                    folder / "home", mutant=options.mutant, small_disk=options.small_disk
                ) as made,
                BacklogMonitor(made.addresses) as backlog,
            ):
                yield ChaosSession(made, backlog, workload_at(options.rate), known)
                made.servers.keep_data = not options.mutant and (
                    options.keep or self.failed_run is not None
                )
            done = self.failed_run is None and not options.keep
        except asyncio.CancelledError:  # told to stop before the end of a run
            done = self.failed_run is None and not options.keep
            raise
        finally:
            known.close()
            if done or options.mutant:
                shutil.rmtree(folder)
            else:
                print(f"kept: {folder / 'home'}", flush=True)

    async def _run(self, sitting: ChaosSession, seed: int) -> RunResult:
        also = FAULTS_OF_MUTANT.get(self.options.mutant, ())
        result = await sitting.run(seed, self.options.only, also)
        self.runs += 1
        self.events += result.events
        self._note(result)
        if not self.options.quiet or result.violations:
            print(_line(result), flush=True)
        if result.violations:
            self.failed_run = result
            await _tell(sitting, result, short=bool(self.options.mutant))
        return result

    def _note(self, result: RunResult) -> None:
        RUN_LOG.parent.mkdir(exist_ok=True)
        line = {
            "seed": result.seed,
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "faults": [msgspec.to_builtins(each) for each in result.faults],
            "operations": count_outcomes(result.journal),
            "events": result.events,
            "seconds": round(result.seconds, 1),
            "rest_after": result.idle_after_seconds,
            "check_seconds": round(result.check_seconds, 1),
            "replayed": result.replayed_dead_letters,
            "unasked_deaths": result.unexpected_exits,
            "killed_by_probe": result.probe_failures,
            "noted": result.log_counts,
            "promises": {
                name: msgspec.to_builtins(kept) for name, kept in result.objectives.items()
            },
            "violations": [str(each) for each in result.violations[:20]],
            "mutant": self.options.mutant or None,
        }
        with RUN_LOG.open("ab") as log:
            log.write(msgspec.json.encode(line) + b"\n")


def _line(result: RunResult) -> str:
    rest = "never" if result.idle_after_seconds is None else f"{result.idle_after_seconds:.1f} s"
    operations = count_outcomes(result.journal)
    told = " ".join(f"{name} {number}" for name, number in sorted(operations.items()))
    faults = ", ".join(each.name for each in result.faults)
    asked, kept = (
        sum(getattr(each, what) for each in result.objectives.values())
        for what in ("asked", "kept")
    )
    return (
        f"seed {result.seed}: {result.seconds:.0f} s, {told}, {result.events} events, rest after "
        f"{rest}, checked in {result.check_seconds:.1f} s, {kept} of {asked} promises kept, "
        f"{len(result.violations)} violations "
        f"({faults})"
    )


async def _tell(sitting: ChaosSession, result: RunResult, *, short: bool) -> None:
    """Print all that helps to understand a violation."""
    print(f"\nVIOLATION with seed {result.seed}; the faults:")
    for happened in sorted(result.faults, key=lambda each: each.began):
        print(f"  {happened}")
    for violation in result.violations[:20]:
        print(f"  {violation}")
    if len(result.violations) > 20:
        print(f"  … and {len(result.violations) - 20} more")
    if short:
        return
    keys = list(dict.fromkeys(each.key for each in result.violations if each.key))
    for key in keys[:MAX_KEYS_SHOWN]:
        addresses = sitting.platform.addresses
        print("\n".join(await read_key_history(addresses, key, result.journal)), flush=True)
    for name, died in result.unexpected_exits.items():
        print(f"  {name} ended by itself: {died}")
    for name, whys in result.probe_failures.items():
        print(f"  {name} was not alive: {whys}")
