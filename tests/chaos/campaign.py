"""A campaign: many runs, their seeds and platforms, the printed summary and the kept data."""

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
    """The command line's options."""

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
    """Sequential runs that end with the first violation."""

    options: Options
    runs: int = 0
    events: int = 0
    failed_run: RunResult | None = None

    async def run(self) -> int:
        """Execute all runs; return the exit status: 1 after a violation."""
        seeds = self._seeds()
        deadline = time.monotonic() + 60 * (self.options.minutes or 10**6)
        runs_left = self.options.runs
        while runs_left > 0 and time.monotonic() < deadline and self.failed_run is None:
            runs_of_session = min(runs_left, 1 if self.options.fresh else RUNS_PER_PLATFORM)
            async with self._session() as session:
                for seed in itertools.islice(seeds, runs_of_session):
                    runs_left -= 1
                    result = await self._run(session, seed)
                    if result.violations or time.monotonic() > deadline:
                        break
        totals = f"{self.runs} runs, {self.events:,} events, "
        print(totals + ("no violation" if self.failed_run is None else "VIOLATED"), flush=True)
        return 0 if self.failed_run is None else 1

    def _seeds(self) -> Iterator[int]:
        first = self.options.seed
        if first is None:
            first = random.SystemRandom().randrange(1, 10**9)
            print(f"first seed {first}", flush=True)
        return itertools.count(first)

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[ChaosSession]:
        folder, checker_state = Path(tempfile.mkdtemp(prefix="préau-chaos-")), CheckerState()
        options, removable = self.options, False
        try:
            async with (
                start_platform(
                    folder / "home", mutant=options.mutant, small_disk=options.small_disk
                ) as running_platform,
                BacklogMonitor(running_platform.addresses) as backlog,
            ):
                yield ChaosSession(
                    running_platform, backlog, workload_at(options.rate), checker_state
                )
                running_platform.servers.keep_data = not options.mutant and (
                    options.keep or self.failed_run is not None
                )
            removable = self.failed_run is None and not options.keep
        except asyncio.CancelledError:  # a stop signal before the end of a run
            removable = self.failed_run is None and not options.keep
            raise
        finally:
            checker_state.close()
            if removable or options.mutant:
                shutil.rmtree(folder)
            else:
                print(f"kept: {folder / 'home'}", flush=True)

    async def _run(self, session: ChaosSession, seed: int) -> RunResult:
        also = FAULTS_OF_MUTANT.get(self.options.mutant, ())
        result = await session.run(seed, self.options.only, also)
        self.runs += 1
        self.events += result.events
        self._append_to_log(result)
        if not self.options.quiet or result.violations:
            print(_summary_line(result), flush=True)
        if result.violations:
            self.failed_run = result
            await _print_violations(session, result, short=bool(self.options.mutant))
        return result

    def _append_to_log(self, result: RunResult) -> None:
        RUN_LOG.parent.mkdir(exist_ok=True)
        line = {
            "seed": result.seed,
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "faults": [msgspec.to_builtins(fault) for fault in result.faults],
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
                name: msgspec.to_builtins(objective)
                for name, objective in result.objectives.items()
            },
            "violations": [str(violation) for violation in result.violations[:20]],
            "mutant": self.options.mutant or None,
        }
        with RUN_LOG.open("ab") as log:
            log.write(msgspec.json.encode(line) + b"\n")


def _summary_line(result: RunResult) -> str:
    idle_after = (
        "never" if result.idle_after_seconds is None else f"{result.idle_after_seconds:.1f} s"
    )
    operations = count_outcomes(result.journal)
    operation_counts = " ".join(f"{name} {number}" for name, number in sorted(operations.items()))
    faults = ", ".join(fault.name for fault in result.faults)
    measured, met = (
        sum(getattr(objective, field_name) for objective in result.objectives.values())
        for field_name in ("asked", "kept")
    )
    return (
        f"seed {result.seed}: {result.seconds:.0f} s, {operation_counts}, {result.events} events, "
        f"idle after {idle_after}, checked in {result.check_seconds:.1f} s, "
        f"{met} of {measured} objectives met, "
        f"{len(result.violations)} violations "
        f"({faults})"
    )


async def _print_violations(session: ChaosSession, result: RunResult, *, short: bool) -> None:
    """Print the faults, the violations and the history of their keys."""
    print(f"\nVIOLATION with seed {result.seed}; the faults:")
    for fault in sorted(result.faults, key=lambda record: record.began):
        print(f"  {fault}")
    for violation in result.violations[:20]:
        print(f"  {violation}")
    if len(result.violations) > 20:
        print(f"  … and {len(result.violations) - 20} more")
    if short:
        return
    keys = list(dict.fromkeys(violation.key for violation in result.violations if violation.key))
    for key in keys[:MAX_KEYS_SHOWN]:
        addresses = session.platform.addresses
        print("\n".join(await read_key_history(addresses, key, result.journal)), flush=True)
    for name, statuses in result.unexpected_exits.items():
        print(f"  {name} ended unexpectedly: {statuses}")
    for name, whys in result.probe_failures.items():
        print(f"  {name} was not alive: {whys}")
