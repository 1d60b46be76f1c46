"""What a benchmark leaves: rows of `{case, who, value, unit, runs, min, max}`."""

import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct


class Row(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One figure: the median of `runs`, and the spread. Without a value it has a `reason`."""

    case: str
    who: str
    value: float | None
    unit: str
    runs: int
    min: float | None
    max: float | None
    reason: str | None = None


class Report(Struct, frozen=True, kw_only=True):
    """All rows of `build/bench.json`, and where and with what they were measured."""

    machine: dict[str, str]
    versions: dict[str, str]
    commands: dict[str, str]
    """By case: the command that measured its rows, and when."""
    rows: list[Row]


def row(case: str, who: str, unit: str, values: Sequence[float], reason: str | None = None) -> Row:
    """Fold the values of several runs; none at all needs a reason."""
    if not values:
        if not reason:
            msg = f"{case}, {who}: no value and no reason"
            raise ValueError(msg)
        return Row(
            case=case, who=who, value=None, unit=unit, runs=0, min=None, max=None, reason=reason
        )
    return Row(
        case=case,
        who=who,
        value=statistics.median(values),
        unit=unit,
        runs=len(values),
        min=min(values),
        max=max(values),
        reason=reason,
    )


def read(path: Path) -> Report | None:
    """Read what an earlier run left; None when there is nothing."""
    if not path.exists():
        return None
    return msgspec.json.decode(path.read_bytes(), type=Report)


def write(path: Path, report: Report) -> None:
    """Write a report as indented JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")


def replaced(old: Iterable[Row], new: Sequence[Row]) -> list[Row]:
    """Keep the rows of the cases that were not measured again."""
    again = {row.case for row in new}
    return [row for row in old if row.case not in again] + list(new)
