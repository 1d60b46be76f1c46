"""Phrases with choices, compiled to one RE2 pattern per list entry instead of written out.

`(a|b)` is either, `(a |)` is optional, `{kin}` is a class of the file's `[classes]`, `nag-` is any
word with this prefix, and `..` is at most three words of the same sentence. RE2 never backtracks,
so the cost per character does not depend on the length of the text.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

import re2

from services.moderation.text.domain.folding import FoldingTable, fold_text

_CLASS: Final = re.compile(r"\{(\w+)\}")
_ALLOWED: Final = re.compile(r"[\w ()|-]*")
# An optional choice includes the space after it.
_OPTIONAL: Final = re.compile(r"\|\) ")
_GAP: Final = ".. "
_GAP_PATTERN: Final = r"(?:[^ .,]+ ){0,3}"


class PhraseRefused(ValueError):
    """A phrase that cannot be compiled, and the reason."""


class Occurrence(NamedTuple):
    """[start, end) of the normalised text."""

    start: int
    end: int


class PhrasePattern:
    """The phrases of one entry, matched in one pass."""

    def __init__(self, patterns: Iterable[str], folding: FoldingTable) -> None:
        choices = "|".join(f"(?:{_to_regex(fold_text(p, folding).text)})" for p in patterns)
        self._pattern = re2.compile(rf"\b(?:{choices})\b")

    def find(self, text: str) -> Iterator[Occurrence]:
        """Yield the occurrences in the normalised text; they do not overlap."""
        for match in self._pattern.finditer(text):
            yield Occurrence(*match.span())


def expand_classes(phrase: str, classes: Mapping[str, str]) -> str:
    """Replace each `{name}` by the choices of that class. Raises `PhraseRefused`."""

    def choices(match: re.Match[str]) -> str:
        if match[1] not in classes:
            raise PhraseRefused(f"there is no class {match[0]} in [classes]")
        return f"({classes[match[1]]})"

    plain = _CLASS.sub(choices, phrase)
    unpointed = plain.replace(_GAP, "")
    if not _ALLOWED.fullmatch(unpointed) or unpointed.count("(") != unpointed.count(")"):
        raise PhraseRefused("a phrase holds words, (a|b), {class} and .. only")
    return plain


def _to_regex(phrase: str) -> str:
    pattern = _OPTIONAL.sub("|)", phrase)
    pattern = pattern.replace("-", r"\w*")
    return pattern.replace("(", "(?:").replace(_GAP, _GAP_PATTERN)
