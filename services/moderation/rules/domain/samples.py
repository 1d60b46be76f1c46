"""Made-up events that every condition is tried on before it may decide anything.

CEL finds a wrong type only when it gets there: nothing found, everything found, each with and
without the counters, so that both sides of most conditions run.
"""

from typing import Final

from services.moderation.rules.domain.facts import (
    UNKNOWN_ACTIVITY,
    ActivityCounts,
    Fact,
    Facts,
    as_variables,
)

_MANY: Final = 1000
_KNOWN: Final = ActivityCounts(
    author_10s=_MANY, author_1m=_MANY, author_10m=_MANY, author_24h=_MANY,
    target_10s=_MANY, target_1m=_MANY, target_10m=_MANY, target_24h=_MANY,
    room_10s=_MANY, room_1m=_MANY, room_10m=_MANY, room_24h=_MANY,
    text_10s=_MANY, text_1m=_MANY, text_10m=_MANY, text_24h=_MANY,
)  # fmt: skip
_LOUDEST: Final[dict[type, Fact]] = {str: " mot ", int: _MANY, float: 1.0, bool: True}


def sample_facts() -> tuple[dict[str, Fact], ...]:
    """Facts by name, of the types a condition will meet."""
    quiet = as_variables(Facts())
    loud = {name: _LOUDEST[type(value)] for name, value in quiet.items() if value is not None}
    unknown = {
        name: value
        for name, value in as_variables(Facts(around=UNKNOWN_ACTIVITY)).items()
        if value is None
    }
    known = as_variables(Facts(around=_KNOWN))
    return quiet, known, {**loud, **unknown}, {**known, **loud}
