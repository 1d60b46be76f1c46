"""Causes to count by: what an error says, without the ids, offsets and values that split it."""

import re
from collections.abc import Mapping

MAX_PATTERN_CHARACTERS = 300
_SHOWN = 3
_HOLE = "…"
_QUOTED = re.compile(
    r"""(?<!\w)'(?P<s>[^']*)'(?!\w) | (?<!\w)"(?P<d>[^"]*)"(?!\w) | «[^»]*» | “[^”]*”""",
    re.VERBOSE,
)
_NAME = re.compile(r"[a-z0-9]*_[a-z0-9_]*|[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
"""A constraint, a column, a class of the program: it says what is wrong, not with which value."""
_VALUE = re.compile(
    r"""
      \d{4}-\d\d-\d\d[T ]\d\d:\d\d[\d:.]*(?:Z|[+-]\d\d:?\d\d)?      # a moment
    | \b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b      # an id
    | \b0x[0-9a-fA-F]+\b | \b(?=[0-9a-f]*\d)[0-9a-f]{16,}\b
    | [^\s'"<>]+@[^\s'"<>]+
    | (?<![A-Za-z_\d])[-+]?\d+(?:[.,]\d+)*
    """,
    re.VERBOSE,
)
_HOLES = re.compile(r"…(?:[,;]?\s*…)+")


def mask_literals(cause: str) -> str:
    """Mask the literals in the first line of a cause: `KeyError: '…'`, `no row … of "pk_posts"`."""
    line = cause.strip().split("\n", 1)[0][: MAX_PATTERN_CHARACTERS * 4]
    return _HOLES.sub(_HOLE, _VALUE.sub(_HOLE, _QUOTED.sub(_masked, line)))[:MAX_PATTERN_CHARACTERS]


def format_counts(counted: Mapping[str, int]) -> str:
    """Say causes by count, the most frequent first: `28 × RuntimeError: …; 2 × KeyError: '…'`."""
    ordered = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
    words = [f"{number} × {cause}" for cause, number in ordered[:_SHOWN]]
    rest = sum(number for _, number in ordered[_SHOWN:])
    return "; ".join([*words, *([f"{rest} of other causes"] if rest else [])])


def _masked(found: re.Match[str]) -> str:
    text = found.group()
    inner = found["s"] or found["d"] or ""
    return text if _NAME.fullmatch(inner) else f"{text[0]}{_HOLE}{text[-1]}"
