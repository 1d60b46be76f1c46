"""CEL conditions always end, and no text makes one slow."""

import time

import pytest

from services.moderation.rules.domain.condition import cel_context, compile_condition
from services.moderation.rules.domain.facts import (
    FACT_NAMES,
    ActivityCounts,
    Facts,
    as_variables,
)
from services.moderation.rules.domain.samples import sample_facts

BLOCKING = ["(a+)+$", "(a|aa)+$", "(a*)*b", "^(([a-z])+.)+[A-Z]([a-z])+$"]


@pytest.mark.parametrize("pattern", BLOCKING)
def test_catastrophic_backtracking_pattern_runs_in_linear_time(pattern: str) -> None:
    condition = compile_condition(f"text.matches('{pattern}')")
    context = cel_context(as_variables(Facts(text="a" * 50_000 + "!")))
    # A backtracking engine would never finish; this is a bound, no benchmark.
    started = time.process_time()
    condition.holds(context)
    assert time.process_time() - started < 5


def test_every_sample_holds_every_fact() -> None:
    assert all(set(sample) == FACT_NAMES for sample in sample_facts())


def test_unknown_fact_is_null_and_never_absent() -> None:
    variables = as_variables(Facts(around=ActivityCounts(author_1m=3)))
    assert variables["author_1m"] == 3
    assert variables["target_1m"] is None
    assert compile_condition("target_1m == null").holds(cel_context(variables))


def test_samples_have_the_types_of_what_is_gathered() -> None:
    *_, loud = sample_facts()
    for name, value in as_variables(Facts()).items():
        assert value is None or type(loud[name]) is type(value), name
