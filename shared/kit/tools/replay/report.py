"""Report of a replay, for machines and people."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from shared.kit.tools.replay.compare import Difference, Row, TableComparison


@dataclass
class Report:
    """Result of a replay. `seconds` were spent reading; the live group was locked for `held`."""

    service: str
    schema: str
    group: str
    since: str | None = None
    events: int = 0
    seconds: float = 0.0
    held: float = 0.0
    outcomes: Mapping[str, int] = field(default_factory=dict)
    remembered: Mapping[str, int] = field(default_factory=dict)
    dropped_facts: Mapping[str, int] = field(default_factory=dict)
    left_out: int = 0
    failed: Sequence[Mapping[str, object]] = ()
    tables: Sequence[TableComparison] = ()
    compared: bool = False
    swapped: bool = False

    @property
    def differences(self) -> int:
        """Return the number of rows that differ, over all tables."""
        return sum(table.differences for table in self.tables)

    @property
    def equal(self) -> bool | None:
        """Return whether the live tables equal the rebuilt ones; None if not compared."""
        return None if not self.compared else not self.differences and not self.failed

    @property
    def events_per_second(self) -> float:
        """Return the events applied per second."""
        return self.events / self.seconds if self.seconds else 0.0


def lines(report: Report) -> Iterator[str]:
    """Yield the report as lines of text."""
    yield (
        f"{report.service}: {report.events:,} events in {report.seconds:.1f} s"
        f" ({report.events_per_second:,.0f}/s) into schema {report.schema}"
    )
    outcomes = {**report.outcomes, "left out as the live group did": report.left_out}
    yield "  " + ", ".join(f"{name} {number:,}" for name, number in outcomes.items() if number)
    own_outcomes = [f"{name} {number:,}" for name, number in report.remembered.items() if number]
    if own_outcomes:
        yield f"  of its own facts: {', '.join(own_outcomes)}"
    for wire_type, number in sorted(report.dropped_facts.items()):
        yield f"  dropped, never sent: {number:,} {wire_type}"
    for failure in report.failed:
        yield f"  FAILED {failure['topic']}/{failure['partition']}/{failure['offset']}: " + str(
            failure["cause"]
        )
    for table in report.tables:
        yield from _table_lines(table)
    yield from _verdict_lines(report)


def _table_lines(table: TableComparison) -> Iterator[str]:
    verdict = "equal" if not table.differences else f"{table.differences:,} DIFFER"
    yield (
        f"  {table.table:20} {table.rows:>10,} rows from the log"
        f" {table.live_rows:>10,} live   {verdict}"
    )
    for difference in table.shown:
        yield from _difference_lines(difference)
    if table.differences > len(table.shown):
        yield f"      … and {table.differences - len(table.shown):,} more"


def _difference_lines(difference: Difference) -> Iterator[str]:
    yield "      " + _format_row(difference.key)
    yield "        live:    " + _format_row(difference.live)
    yield "        the log: " + _format_row(difference.shadow)


def _format_row(row: Row | None) -> str:
    if row is None:
        return "no such row"
    return ", ".join(f"{name} {value}" for name, value in row.items())


def _verdict_lines(report: Report) -> Iterator[str]:
    if report.swapped:
        yield f"  Swapped; held the group for {report.held * 1000:.0f} ms. What was live is in"
        yield f"  schema {report.schema}: --undo brings it back, --drop removes it."
    elif report.compared:
        yield f"  Held the group for {report.held * 1000:.0f} ms to look at both sides."
        yield "  Equal." if report.equal else "  NOT equal: --swap puts the log's rows in place."
