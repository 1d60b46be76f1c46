"""No user text can block a process: every function that processes one is linear."""

from collections.abc import Iterable

import pytest

from services.community.conversations.domain import MAX_BODY_CHARACTERS
from tests.linear.discovery import text_functions
from tests.linear.functions import ENTRY_POINTS, EXEMPT_FUNCTIONS, MEASURED_FUNCTIONS
from tests.linear.measuring import MAX_TEXT_CHARACTERS, measure
from tests.linear.patterns import PATTERNS

SHORT_TEXT_CHARACTERS = 6_000
"""Quadratic functions are detected at this length; linear ones take milliseconds."""


def test_every_function_that_takes_text_is_measured() -> None:
    functions = set(text_functions())
    assert {
        "letter_spacing.join_spaced_letters",
        "kit.text.is_blank",
        "analysis.TextAnalyser.analyse",
    } <= functions
    assert functions - set(MEASURED_FUNCTIONS) - set(EXEMPT_FUNCTIONS) == set()
    assert set(EXEMPT_FUNCTIONS) <= functions, "no such function"


def test_texts_are_as_long_as_the_longest_body() -> None:
    assert MAX_TEXT_CHARACTERS == MAX_BODY_CHARACTERS


@pytest.mark.parametrize("pattern", PATTERNS)
def test_reading_hostile_text_is_linear(pattern: str) -> None:
    assert _faults(MEASURED_FUNCTIONS, pattern, SHORT_TEXT_CHARACTERS) == {}


@pytest.mark.system
@pytest.mark.parametrize("pattern", PATTERNS)
def test_reading_hostile_text_is_linear_up_to_the_longest_body(pattern: str) -> None:
    assert _faults(ENTRY_POINTS, pattern, MAX_TEXT_CHARACTERS) == {}


def _faults(names: Iterable[str], pattern: str, length: int) -> dict[str, tuple[str, ...]]:
    measured = {
        name: measure(MEASURED_FUNCTIONS[name], PATTERNS[pattern], length) for name in names
    }
    return {name: taken.violations for name, taken in measured.items() if taken.violations}


@pytest.fixture(autouse=True, scope="module")
def _warm() -> None:
    for function in MEASURED_FUNCTIONS.values():
        function("warm")()
