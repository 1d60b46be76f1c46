"""Contenders of a case: each a process, run in turns: the machine's moods hit all alike."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

from shared.kit.core.bus import MAX_BATCH_RECORDS
from tests.benchmarks.environments import REPOSITORY, NotInstalled, python_of
from tests.benchmarks.peers.protocol import Task
from tests.benchmarks.rows import Row, row
from tests.support.programs import start_child, stop_child

LOGS = REPOSITORY / "build" / "bench-logs"
WITHIN = 150
"""Seconds that a contender may take."""
STOPPED_WITHIN = 40


class Failed(Exception):
    """A contender gave no figure; says why."""


@dataclass(frozen=True)
class Contender:
    """One line of a case: `module` in the environment `home` (None is ours)."""

    who: str
    module: str
    home: str | None = None
    share: float = 1.0
    """Of the case's records: slow ones read fewer."""
    batch: int = MAX_BATCH_RECORDS
    options: Mapping[str, Any] = field(default_factory=dict)
    url: str = ""
    table: str | None = None
    """Where its effects are counted afterwards."""


@dataclass
class Bench:
    """How a run is to be made."""

    runs: int
    scale: float
    profile: bool = False
    only: str | None = None

    def records(self, number: int) -> int:
        """Scale a number of records."""
        return max(200, int(number * self.scale))

    def admits(self, contender: Contender) -> bool:
        """Return whether this one is asked for (all, by default)."""
        return self.only is None or self.only in contender.who


async def launch(
    python: str, module: str, argument: str, log: Path, *, profile: bool = False
) -> dict[str, Any]:
    """Run a contender to its end and give the last line that it printed. Raises `FailedBatch`."""
    command = [python, "-m", module, argument]
    if profile:
        command = [*profiler(log), "--", *command]
    async with started(command, log) as process:
        try:
            output, _ = await asyncio.wait_for(process.communicate(), WITHIN)
        except TimeoutError:
            process.kill()
            raise Failed(f"no answer within {WITHIN} s") from None
    lines = [line for line in output.decode().splitlines() if line.startswith("{")]
    if not lines:
        raise Failed(f"exit {process.returncode}: {last_words(log)}")
    measured: dict[str, Any] = json.loads(lines[-1])
    return measured


@asynccontextmanager
async def started(
    command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a process until left, then end it with SIGTERM, or with SIGKILL when it is too slow."""
    with opened(log) as errors:
        process = await start_child(
            *command,
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), **(environment or {})},
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
        )
        try:
            yield process
        finally:
            await stop_child(process, STOPPED_WITHIN)


def opened(log: Path) -> BinaryIO:
    """Open a log anew."""
    LOGS.mkdir(parents=True, exist_ok=True)
    return log.open("wb")


def last_words(log: Path) -> str:
    """Return the last line that a process said."""
    lines = log.read_text(errors="replace").strip().splitlines() or ["nothing said"]
    return lines[-1][:200]


def profiler(log: Path) -> list[str]:
    """Return the words that run py-spy, which samples into a text beside the log.

    Raises `FailedBatch` when there is none.
    """
    try:
        program = Path(python_of("tools")).with_name("py-spy")
    except NotInstalled as error:
        raise Failed(f"no py-spy: {error}") from error
    into = str(log.with_suffix(".profile.txt"))
    return [str(program), "record", "--rate", "250", "--nonblocking", "--format", "raw", "-o", into]


Figures = dict[tuple[str, str], float]
"""What one run gives: by what stands behind the contender's name, and the unit."""
Measure = Callable[[Contender, str, Path], Awaitable[Figures]]


async def contest(
    bench: Bench, case: str, contenders: Sequence[Contender], measure: Measure
) -> list[Row]:
    """Run all contenders in turns, `bench.runs` times; a failed one gets a row with the reason."""
    pythons: dict[str, str] = {}
    reasons: dict[str, str] = {}
    values: dict[str, dict[tuple[str, str], list[float]]] = {}
    running = [contender for contender in contenders if bench.admits(contender)]
    for contender in running:
        try:
            pythons[contender.who] = await asyncio.to_thread(python_of, contender.home)
        except NotInstalled as error:
            reasons[contender.who] = f"not installed: {error}"
    for turn in range(bench.runs):
        for contender in running:
            if contender.who in reasons:
                continue
            log = LOGS / f"{case}-{_plain(contender.who)}-{turn}.log"
            try:
                figures = await measure(contender, pythons[contender.who], log)
            except Failed as error:
                reasons[contender.who] = str(error)
                print(f"  {case} {turn + 1}/{bench.runs}  {contender.who}: {error}", flush=True)
                continue
            samples = values.setdefault(contender.who, {})
            for name, value in figures.items():
                samples.setdefault(name, []).append(value)
            summary = "; ".join(
                f"{name.removeprefix(', ')} {value:,.1f} {unit}".lstrip()
                for (name, unit), value in figures.items()
            )
            print(f"  {case} {turn + 1}/{bench.runs}  {contender.who}: {summary}", flush=True)
    return [
        result_row
        for contender in running
        for result_row in _rows(
            case, contender.who, values.get(contender.who, {}), reasons.get(contender.who)
        )
    ]


def _rows(
    case: str, who: str, values: Mapping[tuple[str, str], Sequence[float]], reason: str | None
) -> list[Row]:
    # A run that failed voids the others: a figure from the lucky ones would flatter.
    if reason is not None:
        unit = next((unit for _, unit in values), "")
        return [row(case, who, unit, [], reason)]
    return [row(case, f"{who}{name}", unit, samples) for (name, unit), samples in values.items()]


def task_for(contender: Contender, kafka: str, topic: str, records: int) -> Task:
    """Return what it has to do: a fifth of the records is read before the clock starts."""
    total = max(100, int(records * contender.share))
    warm = total // 5
    return Task(
        kafka=kafka,
        topic=topic,
        group=f"bench-{uuid4().hex[:12]}",
        warm=warm,
        count=total - warm - contender.batch if total > 4 * contender.batch else total - warm,
        database=contender.url,
        batch=contender.batch,
        effect=contender.table is not None,
        options=dict(contender.options),
    )


async def rate(
    contender: Contender, python: str, log: Path, task: Task, *, profile: bool = False
) -> tuple[Figures, int]:
    """Run a contender; return its records per second and the number of all its records."""
    argument = json.dumps(asdict(task))
    measured = await launch(python, contender.module, argument, log, profile=profile)
    if not measured["seconds"]:
        raise Failed("its clock never ran: too few records for its batch")
    figures = {
        ("", "events/s"): measured["count"] / measured["seconds"],
        (", processor time an event", "µs"): measured["cpu"] / measured["count"] * 1e6,
    }
    return figures, int(measured["seen"])


def _plain(who: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in who)
