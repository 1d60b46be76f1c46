"""What was decided about a text, and by which rules."""

from dataclasses import dataclass
from typing import Final, Literal, get_args

Level = Literal["pass", "note", "review", "hide"]
# From mild to strict: `note` tells the author something, `review` asks a person, `hide` hides now.
LEVELS: Final[tuple[Level, ...]] = get_args(Level)
Policy = Literal[
    "insult", "hate", "threat", "sexual", "self_harm", "harassment",
    "personal_data", "spam", "shouting", "victim", "danger",
]  # fmt: skip
POLICIES: Final[tuple[Policy, ...]] = get_args(Policy)


@dataclass(frozen=True, slots=True, order=True)
class RuleRef:
    """A rule as it stood when it decided."""

    id: str
    version: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision: its strictest rule's verdict, its surest rule's score (0 to 1).

    `reasons` are keys of messages for the author, strictest first. `help` holds the keys among them
    whose message offers help: the author needs an adult, and gets no sanction for it. `shadow`
    are rules on trial that would have matched; `failed`, rules that could not be evaluated: decide
    again later.
    """

    verdict: Level = "pass"
    score: float = 0.0
    rules: tuple[RuleRef, ...] = ()
    policies: tuple[Policy, ...] = ()
    reasons: tuple[str, ...] = ()
    help: tuple[str, ...] = ()
    shadow: tuple[RuleRef, ...] = ()
    failed: tuple[RuleRef, ...] = ()
