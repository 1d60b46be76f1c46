"""docs/reliability.md says what the record holds, and names tests that are there."""

import re

from deploy.local.artifacts import REPOSITORY
from tests.chaos.disabled_guards import MUTANTS
from tests.chaos.document import GUARDS, PAGE, RUNS, _guards, _runs, render_page


def test_the_page_is_what_the_record_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == render_page(), "python -m tests.chaos.document"


def test_every_guard_was_tried_and_every_run_counts_once() -> None:
    assert {row["guard"] for row in _guards(GUARDS)} == set(MUTANTS)
    runs = [(run["seed"], run["at"]) for run in _runs(RUNS)]
    assert len(runs) == len(set(runs))
    assert not any(run["mutant"] for run in _runs(RUNS))


def test_what_holds_a_mending_is_there() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", render_page())
    assert len(named) > 5
    for path, test in named:
        assert f"def {test}" in (REPOSITORY / path).read_text(encoding="utf-8"), (path, test)
