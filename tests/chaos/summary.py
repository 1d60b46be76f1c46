"""What all runs so far came to: the log of runs as a few lines of Markdown."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from math import inf
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import msgspec

from tests.chaos.objectives import OBJECTIVES


def summarize_runs(log: Path) -> str:
    """Sum up the runs in this log that had no guard switched off."""
    lines = log.read_bytes().splitlines() if log.exists() else []
    runs = [run for run in map(msgspec.json.decode, lines) if not run["mutant"]]
    if not runs:
        return "No run yet."
    parts = (_totals(runs), _by_fault(runs), _promises(runs), _violations(runs))
    return "\n\n".join("\n".join(part) for part in map(tuple, parts) if part)


def _totals(runs: Sequence[dict[str, Any]]) -> Iterator[str]:
    operations: Counter[str] = Counter()
    for run in runs:
        operations.update(run["operations"])
    green = sum(not run["violations"] for run in runs)
    asked = ", ".join(f"{number:,} {name}" for name, number in sorted(operations.items()))
    saved = sum(len(whys) for run in runs for whys in run["killed_by_probe"].values())
    yield f"{len(runs)} runs, {green} without a violation; {runs[0]['at']} to {runs[-1]['at']}."
    yield f"{sum(run['events'] for run in runs):,} events in the log; operations: {asked}."
    yield f"{sum(len(run['faults']) for run in runs)} faults; {saved} pods saved by their probe."


def _by_fault(runs: Sequence[dict[str, Any]]) -> Iterator[str]:
    """One row for each fault: how often, and seconds until all that was written was applied."""
    seconds: dict[str, list[float]] = defaultdict(list)
    never: Counter[str] = Counter()
    accepted: Counter[str] = Counter()
    for fault in (fault for run in runs for fault in run["faults"]):
        accepted[fault["name"]] += fault["accepted"]
        if fault["recovered"] is None:
            never[fault["name"]] += 1
        else:
            seconds[fault["name"]].append(fault["recovered"])
    yield (
        "| fault | times | requests accepted meanwhile | applied after it: p50, s | p95, s "
        "| longest, s | never |"
    )
    yield "|---|---|---|---|---|---|---|"
    for name in sorted(seconds.keys() | never.keys()):
        found = seconds[name] or [0.0]
        high = quantiles(found, n=20, method="inclusive")[-1] if len(found) > 1 else found[0]
        times = len(seconds[name]) + never[name]
        cells = f"{median(found):.1f} | {high:.1f} | {max(found):.1f} | {never[name]}"
        yield f"| {name} | {times} | {accepted[name]} | {cells} |"


def _promises(runs: Sequence[dict[str, Any]]) -> Iterator[str]:
    """One row for each promise: how often a run asked for it, how often it was kept, the worst."""
    asked: Counter[str] = Counter()
    kept: Counter[str] = Counter()
    worst: dict[str, float] = defaultdict(float)
    for name, told in (each for run in runs for each in run.get("promises", {}).items()):
        asked[name] += told["asked"]
        kept[name] += told["kept"]
        worst[name] = max(worst[name], inf if told["worst"] is None else told["worst"])
    if not asked:
        return
    yield "| promised | at most | asked | kept | worst |"
    yield "|---|---|---|---|---|"
    for promise in OBJECTIVES:
        name = promise.name
        if asked[name]:
            longest = "never" if worst[name] == inf else f"{worst[name]:g}"
            yield f"| {name} | {promise.limit:g} | {asked[name]} | {kept[name]} | {longest} |"


def _violations(runs: Sequence[dict[str, Any]]) -> Iterator[str]:
    broken = [run for run in runs if run["violations"]]
    for run in broken:
        yield f"- seed {run['seed']} ({run['at']}): {run['violations'][0]}"
    if not broken:
        yield "No violation."
