"""Comparison of the oracle's numbers with the platform's; every line has both numbers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tests.oracle.counting import KPIS, Expected

Report = Mapping[str, Any]
"""What `preau import … --json` printed."""
OUTCOMES = ("read", "created", "unchanged", "repeated", "refused")


@dataclass(frozen=True)
class Line:
    """One number that both sides give."""

    what: str
    expected: object
    found: object

    @property
    def agrees(self) -> bool:
        """Return whether they say the same."""
        return self.expected == self.found


def first_import(expected: Expected, report: Report) -> Iterator[Line]:
    """Compare an import into a space that may hold some of it already."""
    for kind, counted in expected.rows.items():
        reported = report[kind]
        for outcome in ("read", "repeated", "refused"):
            yield Line(f"{kind} {outcome}", asdict(counted)[outcome], reported[outcome])
        here = reported["created"] + reported["unchanged"]
        yield Line(f"{kind} created or here", counted.placed, here)
        yield Line(
            f"{kind} add up", reported["read"], sum(reported[outcome] for outcome in OUTCOMES[1:])
        )


def second_import(expected: Expected, report: Report) -> Iterator[Line]:
    """Compare the same import done again: it changes nothing."""
    for kind, counted in expected.rows.items():
        yield Line(f"{kind} created again", 0, report[kind]["created"])
        yield Line(f"{kind} refused again", counted.refused, report[kind]["refused"])


def months(expected: Expected, rows: Sequence[Report]) -> Iterator[Line]:
    """Compare every month of every KPI; a month without a row counts as 0."""
    reported: dict[tuple[str, str], object] = {
        (row["kpi"], row["period"]): row["value"] for row in rows
    }
    for kpi in KPIS:
        figures = expected.months[kpi]
        there = {period for named, period in reported if named == kpi}
        for month in sorted(there | set(figures)):
            value = reported.get((kpi, month), 0)
            # No figure where nothing was counted is the same as 0.
            yield Line(f"{kpi} {month}", figures.get(month, 0), 0 if value is None else value)


def settled(status: Report) -> Iterator[Line]:
    """Look for what did not arrive: nothing lags, is parked or was given up."""
    for group, counts in sorted(status["groups"].items()):
        for fate in ("lag", "parked", "dead_lettered"):
            yield Line(f"{group} {fate}", 0, counts[fate])


def table(title: str, lines: Sequence[Line], *, whole: bool = True) -> str:
    """Draw lines that differ, and the others too if `whole`; then say how many agree."""
    shown = [line for line in lines if whole or not line.agrees]
    width = max((len(line.what) for line in shown), default=0)
    rows = [
        f"  {line.what:{width}}  {line.expected!s:>8}  {line.found!s:>8}"
        f"{'' if line.agrees else '  <- differs'}"
        for line in shown
    ]
    agreeing = sum(line.agrees for line in lines)
    return "\n".join([f"{title}: {agreeing} of {len(lines)} agree", *rows])
