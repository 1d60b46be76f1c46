"""docs/reliability.md is generated from the record of runs and guards."""

from tests.chaos.disabled_guards import MUTANTS
from tests.chaos.document import GUARDS, PAGE, RUNS, _guards, _runs, render_page


def test_page_equals_its_template_filled_from_the_record() -> None:
    assert PAGE.read_text(encoding="utf-8") == render_page(), "python -m tests.chaos.document"


def test_record_holds_every_guard_and_each_run_once() -> None:
    assert {row["guard"] for row in _guards(GUARDS)} == set(MUTANTS)
    runs = [(run["seed"], run["at"]) for run in _runs(RUNS)]
    assert len(runs) == len(set(runs))
    assert not any(run["mutant"] for run in _runs(RUNS))
