"""What a replay tells of itself, for machines and for people."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from shared.kit.tools.replay.compare import Difference, Row, TableComparison


@dataclass
class Report:
    """The outcome of one run. `seconds` were spent reading; the live group was held for `held`."""

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
        """Count the rows that differ, over all tables."""
        return sum(table.differences for table in self.tables)

    @property
    def equal(self) -> bool | None:
        """Return whether the live tables are what the log says; None when nobody compared."""
        return None if not self.compared else not self.differences and not self.failed

    @property
    def events_per_second(self) -> float:
        """Events a second."""
        return self.events / self.seconds if self.seconds else 0.0


def lines(report: Report) -> Iterator[str]:
    """Tell a person."""
    yield (
        f"{report.service}: {report.events:,} events in {report.seconds:.1f} s"
        f" ({report.events_per_second:,.0f}/s) into schema {report.schema}"
    )
    counted = {**report.outcomes, "left out as the live group did": report.left_out}
    yield "  " + ", ".join(f"{name} {number:,}" for name, number in counted.items() if number)
    own = [f"{name} {number:,}" for name, number in report.remembered.items() if number]
    if own:
        yield f"  of its own facts: {', '.join(own)}"
    for kind, number in sorted(report.dropped_facts.items()):
        yield f"  dropped, never sent: {number:,} {kind}"
    for failure in report.failed:
        yield f"  FAILED {failure['topic']}/{failure['partition']}/{failure['offset']}: " + str(
            failure["cause"]
        )
    for table in report.tables:
        yield from _table(table)
    yield from _verdict(report)


def _table(table: TableComparison) -> Iterator[str]:
    told = "equal" if not table.differences else f"{table.differences:,} DIFFER"
    yield (
        f"  {table.table:20} {table.rows:>10,} rows from the log"
        f" {table.live_rows:>10,} live   {told}"
    )
    for each in table.shown:
        yield from _difference(each)
    if table.differences > len(table.shown):
        yield f"      … and {table.differences - len(table.shown):,} more"


def _difference(each: Difference) -> Iterator[str]:
    yield "      " + _row(each.key)
    yield "        live:    " + _row(each.live)
    yield "        the log: " + _row(each.shadow)


def _row(row: Row | None) -> str:
    if row is None:
        return "no such row"
    return ", ".join(f"{name} {value}" for name, value in row.items())


def _verdict(report: Report) -> Iterator[str]:
    if report.swapped:
        yield f"  Swapped; held the group for {report.held * 1000:.0f} ms. What was live is in"
        yield f"  schema {report.schema}: --undo brings it back, --drop removes it."
    elif report.compared:
        yield f"  Held the group for {report.held * 1000:.0f} ms to look at both sides."
        yield "  Equal." if report.equal else "  NOT equal: --swap puts the log's rows in place."
