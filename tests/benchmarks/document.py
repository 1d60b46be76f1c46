"""`python -m tests.benchmarks.document [build/bench.json]`: writes docs/performance.md.

A report of all cases becomes the record, which is kept with the code, and the page. One of some
cases has a page of its own beside it: its machine may be another. Without a report, the page is
written from the record again; its part by hand is notes.md beside this file.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.benchmarks.environments import REPOSITORY
from tests.benchmarks.plot import plot
from tests.benchmarks.rows import Report, Row, read, write
from tests.benchmarks.targets import Verdict, judge

PAGE = REPOSITORY / "docs" / "performance.md"
PLOT = PAGE.with_name("performance-growth.svg")
NOTES = Path(__file__).with_name("notes.md")
RECORD = Path(__file__).with_name("record") / "bench.json"
CASES = {
    "consume": "Consume: receive, decode, commit offsets; no effect",
    "effect": "Effect: the same with one deduplicated effect in PostgreSQL",
    "relay": "Relay: drain the outbox",
    "publish": "Publish: 32 connections, one worker",
    "latency": "Latency: from the event, or the request, to the effect",
    "tracing": "Tracing: its cost, with the effect",
    "growth": "Growth: the same with more members and a longer past",
}


def page(report: Report, notes: str) -> str:
    """Put the page together; the same report gives the same page."""
    parts = [
        "# Performance",
        "",
        "Written by `make bench` and `python -m tests.benchmarks.document`; not by hand.",
        "",
        *_targets(judge(report.rows)),
        notes.strip(),
        "",
        *_figures(report),
        *_place(report),
    ]
    return "\n".join(parts).rstrip() + "\n"


def _targets(verdicts: Sequence[Verdict]) -> Iterator[str]:
    yield "## Targets"
    yield ""
    yield "| target | measured | |"
    yield "|---|---:|---|"
    for verdict in verdicts:
        sign = " ×" if verdict.target.over else ""
        measured = "–" if verdict.measured is None else f"{number(verdict.measured)}{sign}"
        word = f"**{verdict.word}**" if verdict.word == "missed" else verdict.word
        yield f"| {verdict.target.says} | {measured} | {word} |"
    yield ""


def _figures(report: Report) -> Iterator[str]:
    yield "## Figures"
    yield ""
    yield "Medians; in brackets the lowest and the highest of the runs."
    yield ""
    measured_cases = [case for case in CASES if any(row.case == case for row in report.rows)]
    for case in measured_cases:
        rows = [row for row in report.rows if row.case == case]
        yield f"### {CASES[case]}"
        yield ""
        if case in report.commands:
            yield f"`{report.commands[case]}`"
            yield ""
        yield "| who | median | unit | spread | runs |"
        yield "|---|---:|---|---|---:|"
        yield from map(_line, rows)
        yield ""
        if case == "growth" and plot(rows):
            yield f"![{CASES[case]}]({PLOT.name})"
            yield ""


def _line(row: Row) -> str:
    if row.value is None or row.min is None or row.max is None:
        reason = (row.reason or "").replace("|", "/")
        return f"| {row.who} | – | {row.unit} | {reason} | {row.runs} |"
    spread = f"({number(row.min)} – {number(row.max)})"
    return f"| {row.who} | {number(row.value)} | {row.unit} | {spread} | {row.runs} |"


def number(value: float) -> str:
    """Write a figure with as many digits as mean something."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _place(report: Report) -> Iterator[str]:
    yield "## Where and with what"
    yield ""
    for name, text in report.machine.items():
        yield f"- {name}: {text}"
    yield ""
    yield "| package | version |"
    yield "|---|---|"
    for name, text in sorted(report.versions.items(), key=lambda item: item[0].lower()):
        yield f"| {name} | {text} |"


def main(words: list[str]) -> int:
    """Write the page."""
    path = Path(words[0]) if words else RECORD
    report = read(path)
    if report is None:
        print(f"{path} is not there: run `make bench` first.", file=sys.stderr)
        return 1
    measured = {row.case for row in report.rows}
    lacking = [case for case in CASES if case not in measured]
    if lacking:
        shown = path.with_suffix(".md")
        shown.write_text(page(report, NOTES.read_text(encoding="utf-8")), encoding="utf-8")
        print(f"{shown} is written; {PAGE.name} stays, for want of {', '.join(lacking)}.")
        return 0
    if path != RECORD:
        write(RECORD, report)
    publish(report)
    print(f"{PAGE.relative_to(REPOSITORY)} is written.")
    return 0


def publish(report: Report) -> None:
    """Write the page of the docs, and its plot."""
    PAGE.write_text(page(report, NOTES.read_text(encoding="utf-8")), encoding="utf-8")
    drawn = plot(report.rows)
    if drawn:
        PLOT.write_text(drawn, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
