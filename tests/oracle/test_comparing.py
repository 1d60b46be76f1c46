"""A difference is seen, wherever it is."""

import json
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.oracle import __main__ as oracle
from tests.oracle.comparing import Line, first_import, months, second_import, settled, table
from tests.oracle.counting import Expected, count

DUMP = Path(__file__).parents[1] / "system" / "dump"


@pytest.fixture
def expected() -> Expected:
    return count(DUMP)


def report(expected: Expected, *, again: bool = False) -> dict[str, Any]:
    """What a right import would print."""
    figures_of_kinds: dict[str, Any] = {"seconds": 0.1}
    for kind, counted in expected.rows.items():
        created, unchanged = (0, counted.placed) if again else (counted.placed, 0)
        figures_of_kinds[kind] = {**asdict(counted), "created": created, "unchanged": unchanged}
    return figures_of_kinds


def figures(expected: Expected) -> list[dict[str, Any]]:
    """What right KPIs would be."""
    return [
        {"kpi": kpi, "grain": "month", "period": month, "value": value}
        for kpi, months_of_kpi in expected.months.items()
        for month, value in months_of_kpi.items()
    ]


def differing(lines: Sequence[Line]) -> list[str]:
    return [line.what for line in lines if not line.agrees]


def test_equal_numbers_agree(expected: Expected) -> None:
    assert not differing(list(first_import(expected, report(expected))))
    assert not differing(list(second_import(expected, report(expected, again=True))))
    assert not differing(list(months(expected, figures(expected))))


def test_missing_row_is_a_difference(expected: Expected) -> None:
    reported = report(expected)
    reported["comments"]["created"] -= 1
    differences = differing(list(first_import(expected, reported)))
    assert differences == ["comments created or here", "comments add up"]


def test_second_import_that_creates_rows_is_a_difference(expected: Expected) -> None:
    differences = differing(list(second_import(expected, report(expected))))
    assert differences == [f"{kind} created again" for kind in expected.rows]


def test_extra_missing_or_masked_month_is_a_difference(expected: Expected) -> None:
    rows = [row for row in figures(expected) if row["period"] != "2024-05"]
    rows.append({"kpi": "answers", "period": "2024-04", "value": 1})
    rows[0]["value"] = None
    assert differing(list(months(expected, rows))) == [
        "questions 2024-01",
        "answers 2024-04",
        "comments 2024-05",
        "contributors 2024-05",
    ]


def test_missing_event_is_a_difference() -> None:
    groups = {"metrics": {"lag": 0, "parked": 2, "dead_lettered": 0}}
    assert differing(list(settled({"groups": groups}))) == ["metrics parked"]


def test_table_marks_differences() -> None:
    shown = table("Months", [Line("answers 2024-03", 2, 3), Line("answers 2024-02", 3, 3)])
    first, second, third = shown.splitlines()
    assert first == "Months: 1 of 2 agree"
    assert second.endswith("<- differs")
    assert not third.endswith("<- differs")


class Puppet:
    """A platform with fixed answers to commands."""

    def __init__(self, answers: list[object]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, ...]] = []

    def ask(self, *arguments: str) -> Any:
        self.asked.append(arguments)
        return json.loads(json.dumps(self.answers.pop(0)))


@pytest.mark.parametrize(("wrong", "code"), [(0, 0), (1, 1)])
def test_exit_code_is_zero_only_if_all_numbers_agree(
    expected: Expected, monkeypatch: pytest.MonkeyPatch, wrong: int, code: int
) -> None:
    rows = figures(expected)
    rows[-1]["value"] += wrong
    first, again = report(expected), report(expected, again=True)
    puppet = Puppet([first, again, {"groups": {}}, rows])

    @contextmanager
    def stage(_: Mapping[str, str]) -> Any:
        yield puppet

    monkeypatch.setattr(oracle, "platform", stage)
    assert oracle.main([str(DUMP), "--space", "Essai é"]) == code
    assert puppet.asked[-1] == (
        *("kpis", "--space", "Essai é", "--from", "2023-12-01", "--to", "2024-07-01"),
        *("--grain", "month", "--json"),
    )


def test_folder_without_dump_is_refused(tmp_path: Path) -> None:
    assert oracle.main([str(tmp_path)]) == 2
