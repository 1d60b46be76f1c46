"""Summary of the log of runs, in Markdown."""

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
    parts = (_totals(runs), _by_fault(runs), _objectives(runs), _violations(runs))
    return "\n\n".join("\n".join(part) for part in map(tuple, parts) if part)


def _totals(runs: Sequence[dict[str, Any]]) -> Iterator[str]:
    operations: Counter[str] = Counter()
    for run in runs:
        operations.update(run["operations"])
    clean_runs = sum(not run["violations"] for run in runs)
    operation_counts = ", ".join(
        f"{number:,} {name}" for name, number in sorted(operations.items())
    )
    killed_by_probe = sum(
        len(failures) for run in runs for failures in run["killed_by_probe"].values()
    )
    events, faults = sum(run["events"] for run in runs), sum(len(run["faults"]) for run in runs)
    span = f"{runs[0]['at']} to {runs[-1]['at']}"
    yield f"{len(runs)} runs, {clean_runs} without a violation; {span}."
    yield f"{events:,} events in the log; operations: {operation_counts}."
    yield f"{faults} faults; {killed_by_probe} pods saved by their probe."


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
        durations = seconds[name] or [0.0]
        high = (
            quantiles(durations, n=20, method="inclusive")[-1]
            if len(durations) > 1
            else durations[0]
        )
        times = len(seconds[name]) + never[name]
        cells = f"{median(durations):.1f} | {high:.1f} | {max(durations):.1f} | {never[name]}"
        yield f"| {name} | {times} | {accepted[name]} | {cells} |"


def _objectives(runs: Sequence[dict[str, Any]]) -> Iterator[str]:
    """One row for each promise: how often a run asked for it, how often it was kept, the worst."""
    measured: Counter[str] = Counter()
    met: Counter[str] = Counter()
    worst: dict[str, float] = defaultdict(float)
    for name, result in (item for run in runs for item in run.get("promises", {}).items()):
        measured[name] += result["asked"]
        met[name] += result["kept"]
        worst[name] = max(worst[name], inf if result["worst"] is None else result["worst"])
    if not measured:
        return
    yield "| promised | at most | asked | kept | worst |"
    yield "|---|---|---|---|---|"
    for promise in OBJECTIVES:
        name = promise.name
        if measured[name]:
            longest = "never" if worst[name] == inf else f"{worst[name]:g}"
            yield f"| {name} | {promise.limit:g} | {measured[name]} | {met[name]} | {longest} |"


def _violations(runs: Sequence[dict[str, Any]]) -> Iterator[str]:
    broken = [run for run in runs if run["violations"]]
    for run in broken:
        yield f"- seed {run['seed']} ({run['at']}): {run['violations'][0]}"
    if not broken:
        yield "No violation."
