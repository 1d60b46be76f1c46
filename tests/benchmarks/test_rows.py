from pathlib import Path

import msgspec
import pytest

from tests.benchmarks.rows import Report, Row, read, replaced, row, write


def test_row_has_median_and_spread_of_runs() -> None:
    result = row("effect", "Préau", "events/s", [3.0, 1.0, 2.0])

    assert msgspec.json.decode(msgspec.json.encode(result)) == {
        "case": "effect",
        "who": "Préau",
        "value": 2.0,
        "unit": "events/s",
        "runs": 3,
        "min": 1.0,
        "max": 3.0,
    }


def test_row_without_figure_has_a_reason() -> None:
    result = row("consume", "quixstreams", "events/s", [], "not installed: no such version")

    assert (result.value, result.runs) == (None, 0)
    assert msgspec.json.decode(msgspec.json.encode(result))["reason"].startswith("not installed")
    with pytest.raises(ValueError, match="no reason"):
        row("consume", "quixstreams", "events/s", [])


def test_measuring_a_case_again_replaces_only_its_rows() -> None:
    old = [row("consume", "a", "events/s", [1.0]), row("effect", "a", "events/s", [1.0])]

    rows = replaced(old, [row("effect", "b", "events/s", [2.0])])

    assert [(row_.case, row_.who) for row_ in rows] == [("consume", "a"), ("effect", "b")]


def test_report_survives_writing_and_reading(tmp_path: Path) -> None:
    path = tmp_path / "build" / "bench.json"
    report = Report(
        machine={"cores": "2"},
        versions={"uvloop": "1"},
        commands={"consume": "make bench CASE=consume"},
        rows=[
            Row(case="c", who="é", value=1.5, unit="ms", runs=1, min=1.5, max=1.5),
        ],
    )

    assert read(path) is None
    write(path, report)
    assert read(path) == report
