"""Generates docs/reliability.md from a template written by hand and the record of runs.

`python -m tests.chaos.document` takes the new runs of build/ into the record and writes the
page anew. The record is kept with the code: a campaign is many sittings.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from tests.chaos.campaign import RUN_LOG
from tests.chaos.mutation_run import RESULTS_PATH
from tests.chaos.summary import summarize_runs

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs/reliability.md"
RUNS, GUARDS = HERE / "record/runs.ndjson", HERE / "record/guards.json"
TEMPLATE = HERE / "record/reliability.md"


def main() -> None:
    """Add the new runs and guards to the record, and write the page."""
    add_new_runs()
    update_guards()
    PAGE.write_text(render_page(), encoding="utf-8")
    print(f"written: {PAGE}")


def add_new_runs() -> None:
    """Add the runs that the record does not hold yet, none with a guard off: those only prove."""
    recorded = {(run["seed"], run["at"]) for run in _runs(RUNS)}
    new = [
        run
        for run in _runs(RUN_LOG)
        if not run["mutant"] and (run["seed"], run["at"]) not in recorded
    ]
    with RUNS.open("ab") as record:
        for run in new:
            record.write(msgspec.json.encode(run) + b"\n")


def update_guards() -> None:
    """Replace each guard's row in the record by its newest result."""
    results = {row["guard"]: row for row in _guards(GUARDS)}
    results.update({row["guard"]: row for row in _guards(RESULTS_PATH)})
    rows = [results[name] for name in sorted(results)]
    GUARDS.write_bytes(msgspec.json.format(msgspec.json.encode(rows)) + b"\n")


def render_page() -> str:
    """Put the words and the record together."""
    template = TEMPLATE.read_text(encoding="utf-8")
    return template.replace("{guards}", "\n".join(_table(_guards(GUARDS)))).replace(
        "{runs}", summarize_runs(RUNS)
    )


def _table(rows: Sequence[dict[str, Any]]) -> list[str]:
    lines = ["| guard switched off | what happens then | caught by | in run |", "|---|---|---|---|"]
    for row in rows:
        caught = ", ".join(row["caught_by"] or ()) or "not caught"
        lines.append(f"| {row['guard']} | {row['meaning']} | {caught} | {row['runs']} |")
    return lines


def _runs(path: Path) -> list[dict[str, Any]]:
    lines = path.read_bytes().splitlines() if path.exists() else []
    return [msgspec.json.decode(line) for line in lines]


def _guards(path: Path) -> list[dict[str, Any]]:
    return (
        msgspec.json.decode(path.read_bytes(), type=list[dict[str, Any]]) if path.exists() else []
    )


if __name__ == "__main__":
    main()
