"""No text that a person sends can hold a process: each function that reads one is linear."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import FunctionType, ModuleType

import pytest

from services.community.conversations.domain import LONGEST_BODY
from services.moderation.text import domain as text_domain
from shared.kit import text as kit_text
from shared.kit.web import balancing
from shared.kit.web import markup as web_markup
from tests.linear.functions import FUNCTIONS, OTHERS
from tests.linear.measuring import LONGEST, measure
from tests.linear.patterns import PATTERNS

SHORT = 6_000
"""Characters at which what is quadratic is seen, and all that is linear takes milliseconds."""
_TEXTS = ("str", "Reading", "Normalised", "Folded")
"""Types of a parameter through which a text comes in."""


def _modules() -> Iterator[tuple[str, ModuleType]]:
    for module in pkgutil.iter_modules(text_domain.__path__):
        yield module.name, importlib.import_module(f"{text_domain.__name__}.{module.name}")
    yield "kit.text", kit_text
    yield "kit.web.markup", web_markup
    yield "kit.web.balancing", balancing


def _public_functions(name: str, module: ModuleType) -> Iterator[tuple[str, FunctionType]]:
    for key, value in vars(module).items():
        if key.startswith("_") or getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(value):
            yield f"{name}.{key}", value
        elif inspect.isclass(value):
            yield from (
                (f"{name}.{key}.{method}", function)
                for method, function in vars(value).items()
                if inspect.isfunction(function) and not method.startswith("_")
            )


def _takes_text(function: FunctionType) -> bool:
    hints = {key: hint for key, hint in function.__annotations__.items() if key != "return"}
    return any(text in repr(hint) for hint in hints.values() for text in _TEXTS)


def test_every_function_that_takes_text_is_measured() -> None:
    reading = {
        key
        for name, module in _modules()
        for key, function in _public_functions(name, module)
        if _takes_text(function)
    }
    assert "spacing.joined_letters" in reading
    assert reading - set(FUNCTIONS) - set(OTHERS) == set()
    assert set(OTHERS) - reading == set(), "no such function"


def test_texts_are_as_long_as_the_longest_body() -> None:
    assert LONGEST == LONGEST_BODY


@pytest.mark.parametrize("pattern", PATTERNS)
def test_reading_hostile_text_is_linear(pattern: str) -> None:
    assert _faults(pattern, SHORT) == {}


@pytest.mark.system
@pytest.mark.parametrize("pattern", PATTERNS)
def test_reading_hostile_text_is_linear_up_to_the_longest_body(pattern: str) -> None:
    assert _faults(pattern, LONGEST) == {}


def _faults(pattern: str, length: int) -> dict[str, tuple[str, ...]]:
    measured = {
        name: measure(function, PATTERNS[pattern], length) for name, function in FUNCTIONS.items()
    }
    return {name: taken.faults for name, taken in measured.items() if taken.faults}


@pytest.fixture(autouse=True, scope="module")
def _warm() -> None:
    for function in FUNCTIONS.values():
        function("warm")()
