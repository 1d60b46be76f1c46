"""Groups error messages: ids, offsets and values are masked, so that equal causes compare equal."""

import re
from collections.abc import Mapping

MAX_PATTERN_CHARACTERS = 300
_MAX_CAUSES_NAMED = 3
_MASK = "…"
_QUOTED = re.compile(
    r"""(?<!\w)'(?P<s>[^']*)'(?!\w) | (?<!\w)"(?P<d>[^"]*)"(?!\w) | «[^»]*» | “[^”]*”""",
    re.VERBOSE,
)
_NAME = re.compile(r"[a-z0-9]*_[a-z0-9_]*|[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
"""A constraint, a column or a class of the program: it identifies the error, so it is kept."""
_VALUE = re.compile(
    r"""
      \d{4}-\d\d-\d\d[T ]\d\d:\d\d[\d:.]*(?:Z|[+-]\d\d:?\d\d)?      # a timestamp
    | \b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b      # an id
    | \b0x[0-9a-fA-F]+\b | \b(?=[0-9a-f]*\d)[0-9a-f]{16,}\b
    | [^\s'"<>]+@[^\s'"<>]+
    | (?<![A-Za-z_\d])[-+]?\d+(?:[.,]\d+)*
    """,
    re.VERBOSE,
)
_MASKS = re.compile(r"…(?:[,;]?\s*…)+")


def mask_literals(cause: str) -> str:
    """Mask the literals in the first line of a cause: `KeyError: '…'`, `no row … of "pk_posts"`."""
    line = cause.strip().split("\n", 1)[0][: MAX_PATTERN_CHARACTERS * 4]
    masked = _VALUE.sub(_MASK, _QUOTED.sub(_mask_quoted, line))
    return _MASKS.sub(_MASK, masked)[:MAX_PATTERN_CHARACTERS]


def format_counts(counts: Mapping[str, int]) -> str:
    """Format causes by count, most frequent first: `28 × RuntimeError: …; 2 × KeyError: '…'`."""
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    parts = [f"{number} × {cause}" for cause, number in ordered[:_MAX_CAUSES_NAMED]]
    remaining = sum(number for _, number in ordered[_MAX_CAUSES_NAMED:])
    return "; ".join([*parts, *([f"{remaining} of other causes"] if remaining else [])])


def _mask_quoted(match: re.Match[str]) -> str:
    text = match.group()
    inner = match["s"] or match["d"] or ""
    return text if _NAME.fullmatch(inner) else f"{text[0]}{_MASK}{text[-1]}"
