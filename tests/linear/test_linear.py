"""No text that a person sends can hold a process: each function that reads one is linear."""

from collections.abc import Iterable

import pytest

from services.community.conversations.domain import LONGEST_BODY
from tests.linear.discovery import text_functions
from tests.linear.functions import FUNCTIONS, OTHERS, WHOLE
from tests.linear.measuring import LONGEST, measure
from tests.linear.patterns import PATTERNS

SHORT = 6_000
"""Characters at which what is quadratic is seen, and all that is linear takes milliseconds."""


def test_every_function_that_takes_text_is_measured() -> None:
    found = set(text_functions())
    assert {"spacing.joined_letters", "kit.text.is_blank", "reading.Reader.read"} <= found
    assert found - set(FUNCTIONS) - set(OTHERS) == set()
    assert set(OTHERS) <= found, "no such function"


def test_texts_are_as_long_as_the_longest_body() -> None:
    assert LONGEST == LONGEST_BODY


@pytest.mark.parametrize("pattern", PATTERNS)
def test_reading_hostile_text_is_linear(pattern: str) -> None:
    assert _faults(FUNCTIONS, pattern, SHORT) == {}


@pytest.mark.system
@pytest.mark.parametrize("pattern", PATTERNS)
def test_reading_hostile_text_is_linear_up_to_the_longest_body(pattern: str) -> None:
    assert _faults(WHOLE, pattern, LONGEST) == {}


def _faults(names: Iterable[str], pattern: str, length: int) -> dict[str, tuple[str, ...]]:
    measured = {name: measure(FUNCTIONS[name], PATTERNS[pattern], length) for name in names}
    return {name: taken.faults for name, taken in measured.items() if taken.faults}


@pytest.fixture(autouse=True, scope="module")
def _warm() -> None:
    for function in FUNCTIONS.values():
        function("warm")()
