"""`python -m tests.oracle DIR [--space NAME]`: is what the platform says of a dump true?

Counts the dump's XML by itself, imports it twice, and compares: rows by kind and outcome, then
every month of every figure. Exit code 1 on any difference, 2 when there is nothing to compare.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.oracle.comparing import Line, first_import, months, second_import, settled, table
from tests.oracle.counting import Expected, count
from tests.oracle.platform import NoPlatformError, Platform, platform, surroundings

DIFFERS, NOTHING = 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare a dump with the platform and return the exit code."""
    arguments_ = _parse(arguments)
    try:
        expected = count(arguments_.folder, ZoneInfo(arguments_.time_zone))
        return check(expected, arguments_.folder, arguments_.space, surroundings())
    except (FileNotFoundError, NoPlatformError) as error:
        print(error, file=sys.stderr)
        return NOTHING


def check(expected: Expected, folder: Path, space: str, environment: Mapping[str, str]) -> int:
    """Import, compare and print; 0 when all agrees."""
    with platform(environment) as running:
        first, again, arrived = _import(running, expected, folder, space)
        figures = list(months(expected, _figures(running, expected, space)))
    print(table("First import", first))
    print(table("The same again", again, whole=False))
    print(table("Events", arrived, whole=False))
    print(table("Months", figures, whole=False))
    for kpi in expected.months:
        of_this = [line for line in figures if line.what.startswith(f"{kpi} ")]
        total = sum(expected.months[kpi].values())
        print(f"  {kpi:14} {len(of_this):4} months, {total:7,} in all")
    return 0 if all(line.agrees for line in (*first, *again, *arrived, *figures)) else DIFFERS


def _import(
    running: Platform, expected: Expected, folder: Path, space: str
) -> tuple[list[Line], list[Line], list[Line]]:
    command = ("import", "stackexchange", str(folder), "--space", space, "--json")
    report = running.ask(*command)
    print(f"Imported in {report['seconds']} s.")
    first = list(first_import(expected, report))
    again = list(second_import(expected, running.ask(*command)))
    return first, again, list(settled(running.ask("status", "--wait", "--json")))


def _figures(running: Platform, expected: Expected, space: str) -> list[dict[str, object]]:
    """Ask for all months from the first to the last, and one on each side, which must be empty."""
    named = sorted({month for kpi in expected.months.values() for month in kpi})
    if not named:
        return []
    begin, end = _shifted(named[0], -1), _shifted(named[-1], 2)
    between = ("--from", f"{begin}-01", "--to", f"{end}-01", "--grain", "month")
    rows: list[dict[str, object]] = running.ask("kpis", "--space", space, *between, "--json")
    return rows


def _shifted(month: str, by: int) -> str:
    year, number = divmod(int(month[:4]) * 12 + int(month[5:]) - 1 + by, 12)
    return f"{year:04}-{number + 1:02}"


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.oracle", description="Compare an import with its source."
    )
    parser.add_argument("folder", type=Path, help="a Stack Exchange dump: Posts.xml and the others")
    parser.add_argument("--space", help="the space to import into; the folder's name if left out")
    parser.add_argument("--time-zone", default="UTC", help="whose months are meant (UTC)")
    options = parser.parse_args(arguments)
    options.space = options.space or f"Contrôle {options.folder.resolve().name}"
    return options


if __name__ == "__main__":
    sys.exit(main())
