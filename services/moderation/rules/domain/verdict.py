"""The verdict on a text, and the rules behind it."""

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
    """A rule at the version that decided."""

    id: str
    version: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision on a text: its strictest rule's verdict, its highest score (0 to 1).

    `reasons` are keys of messages for the author, strictest first. `help` are the keys among them
    whose message offers help: the author needs an adult, and gets no sanction. `shadow` are rules
    on trial that would have matched; `failed` are rules that could not be evaluated: evaluate the
    text again later.
    """

    verdict: Level = "pass"
    score: float = 0.0
    rules: tuple[RuleRef, ...] = ()
    policies: tuple[Policy, ...] = ()
    reasons: tuple[str, ...] = ()
    help: tuple[str, ...] = ()
    shadow: tuple[RuleRef, ...] = ()
    failed: tuple[RuleRef, ...] = ()
