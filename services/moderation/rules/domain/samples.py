"""Invented events that every condition is tried on before it can decide.

CEL reports a wrong type only when it evaluates it: no matches, all matches, each with and without
the counters, so that both sides of most conditions run.
"""

from typing import Final

from services.moderation.rules.domain.facts import (
    UNKNOWN_ACTIVITY,
    ActivityCounts,
    Fact,
    Facts,
    as_variables,
)

_HIGH_COUNT: Final = 1000
_HIGH_COUNTS: Final = ActivityCounts(
    author_10s=_HIGH_COUNT, author_1m=_HIGH_COUNT, author_10m=_HIGH_COUNT, author_24h=_HIGH_COUNT,
    target_10s=_HIGH_COUNT, target_1m=_HIGH_COUNT, target_10m=_HIGH_COUNT, target_24h=_HIGH_COUNT,
    room_10s=_HIGH_COUNT, room_1m=_HIGH_COUNT, room_10m=_HIGH_COUNT, room_24h=_HIGH_COUNT,
    text_10s=_HIGH_COUNT, text_1m=_HIGH_COUNT, text_10m=_HIGH_COUNT, text_24h=_HIGH_COUNT,
)  # fmt: skip
_HIGHEST_VALUES: Final[dict[type, Fact]] = {str: " mot ", int: _HIGH_COUNT, float: 1.0, bool: True}


def sample_facts() -> tuple[dict[str, Fact], ...]:
    """Return facts by name, of the types that a condition meets at run time."""
    without_matches = as_variables(Facts())
    with_matches = {
        name: _HIGHEST_VALUES[type(value)]
        for name, value in without_matches.items()
        if value is not None
    }
    without_counters = {
        name: value
        for name, value in as_variables(Facts(around=UNKNOWN_ACTIVITY)).items()
        if value is None
    }
    with_counters = as_variables(Facts(around=_HIGH_COUNTS))
    return (
        without_matches,
        with_counters,
        {**with_matches, **without_counters},
        {**with_counters, **with_matches},
    )
