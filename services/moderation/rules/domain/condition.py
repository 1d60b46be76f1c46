"""A CEL condition over the facts: compiled once, linear on any text, no loops.

CEL (the Common Expression Language) was made for conditions that strangers write: it always ends,
and its regular expressions never backtrack.
"""

from dataclasses import dataclass
from typing import Final

import cel

from services.moderation.rules.domain.facts import FACT_NAMES, Fact
from services.moderation.rules.domain.samples import sample_facts

# Far above any rule a person can read, far below what would slow the parser down.
MAX_CONDITION_CHARACTERS: Final = 2000
_KNOWN_NAMES: Final = ", ".join(sorted(FACT_NAMES))


class ConditionRefused(ValueError):
    """A condition that must not decide: what is wrong with it, in a line."""


def cel_context(variables: dict[str, Fact]) -> cel.Context:
    """One per event, shared by all rules: ten times faster than a dict per rule."""
    return cel.Context(variables=dict(variables))


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that compiled and gave true or false on every sample."""

    source: str
    program: cel.Program

    def holds(self, context: cel.Context) -> bool:
        """Raises whatever CEL raises when a type is not what the samples showed."""
        return self.program.execute(context) is True


def compile_condition(source: str) -> Condition:
    """Raises `ConditionRefused` unless it names facts only and is true or false on the samples."""
    if len(source) > MAX_CONDITION_CHARACTERS:
        raise ConditionRefused(
            f"the condition is longer than {MAX_CONDITION_CHARACTERS} characters; split the rule"
        )
    try:
        program = cel.compile(source)
    except ValueError as wrong:
        raise ConditionRefused(f"not a CEL expression: {_first_line(wrong)}") from wrong
    if unknown := sorted(set(program.variables()) - FACT_NAMES):
        # CEL would only notice when it gets there: `false && unknown` is false.
        names = ", ".join(unknown)
        raise ConditionRefused(f"there is no fact named {names}; there are {_KNOWN_NAMES}")
    for sample in sample_facts():
        _try(program, sample)
    return Condition(source, program)


def _try(program: cel.Program, sample: dict[str, Fact]) -> None:
    try:
        answer = program.execute(cel_context(sample))
    except (TypeError, ValueError, RuntimeError, KeyError) as wrong:
        why = f"it cannot be evaluated: {_first_line(wrong)}"
        if any(value is None for value in sample.values()):
            why += " (counters may be unknown: test `… != null &&` first)"
        raise ConditionRefused(why) from wrong
    if not isinstance(answer, bool):
        raise ConditionRefused(f"it gives {answer!r}, neither true nor false")


def _first_line(wrong: Exception) -> str:
    return str(wrong).strip().partition("\n")[0].partition(". ")[0]
