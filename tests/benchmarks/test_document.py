from pathlib import Path

import pytest

from tests.benchmarks import document
from tests.benchmarks.document import CASES, NOTES, PAGE, PLOT, RECORD, main, number, page
from tests.benchmarks.plot import plot
from tests.benchmarks.rows import Report, read, row, write

REPORT = Report(
    machine={"processor": "Épyc", "cores": "2"},
    versions={"uvloop": "0.23", "aiokafka": "0.14"},
    commands={"effect": "2026-11-25  python -m tests.benchmarks --case effect --runs 3"},
    rows=[
        row("effect", "Préau", "events/s", [49_000.0, 51_000.0, 50_500.0]),
        row("effect", "FastStream, its tutorial", "events/s", [400.0]),
        row("effect", "quixstreams", "", [], "not installed: a | b"),
    ],
)


def test_page_contains_targets_notes_figures_machine_versions_and_commands() -> None:
    text = page(REPORT, "## By hand\n\nWhy it is so. ☀️")

    assert "| with inbox and effect, catching up: ≥ 50,000 events/s | 50,500 | met |" in text
    assert "| the same: ≥ 100 × the tutorial way | 126 × | met |" in text
    assert "| publish: p99 < 35 ms | – | not measured |" in text
    assert "Why it is so. ☀️" in text
    assert "| Préau | 50,500 | events/s | (49,000 – 51,000) | 3 |" in text
    assert "| quixstreams | – |  | not installed: a / b | 0 |" in text.replace(
        "events/s | n", " | n"
    )
    assert "`2026-11-25  python -m tests.benchmarks --case effect --runs 3`" in text
    assert "- processor: Épyc" in text
    assert text.index("| aiokafka | 0.14 |") < text.index("| uvloop | 0.23 |")


def test_missed_target_is_bold() -> None:
    slow = Report(
        machine={},
        versions={},
        commands={},
        rows=[row("effect", "Préau", "events/s", [12_000.0])],
    )

    assert "≥ 50,000 events/s | 12,000 | **missed** |" in page(slow, "")


def test_page_shows_only_measured_cases() -> None:
    text = page(REPORT, "")

    assert CASES["effect"] in text
    assert CASES["growth"] not in text


def test_numbers_are_rounded_to_significant_digits() -> None:
    assert [number(value) for value in (123_456.7, 45.67, 3.456, 0.756)] == [
        "123,457",
        "45.7",
        "3.46",
        "0.76",
    ]


def test_committed_page_matches_record_and_notes() -> None:
    record = read(RECORD)
    assert record is not None
    assert PAGE.read_text() == page(record, NOTES.read_text()), (
        "python -m tests.benchmarks.document"
    )
    assert PLOT.read_text() == plot(record.rows)


def test_partial_report_changes_neither_page_nor_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(document, "PAGE", tmp_path / "performance.md")
    monkeypatch.setattr(document, "RECORD", tmp_path / "record.json")
    report_file = tmp_path / "bench.json"
    write(report_file, REPORT)

    assert main([str(report_file)]) == 0

    assert "| Préau | 50,500 |" in report_file.with_suffix(".md").read_text()
    assert "for want of consume, relay" in capsys.readouterr().out
    assert sorted(file.name for file in tmp_path.iterdir()) == ["bench.json", "bench.md"]


def test_complete_report_replaces_record_and_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PAGE", "RECORD", "PLOT"):
        monkeypatch.setattr(document, name, tmp_path / name)
    monkeypatch.setattr(document, "REPOSITORY", tmp_path)
    whole = Report(
        machine={},
        versions={},
        commands={},
        rows=[row(case, "Préau", "s", [1.0]) for case in CASES],
    )
    write(tmp_path / "bench.json", whole)

    assert main([str(tmp_path / "bench.json")]) == 0

    assert read(tmp_path / "RECORD") == whole
    assert (tmp_path / "PAGE").read_text() == page(whole, NOTES.read_text())
