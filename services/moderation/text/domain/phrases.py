"""Phrases with choices, compiled to one RE2 pattern per list entry instead of written out.

`(a|b)` stands for either, `(a |)` may be missing, `{kin}` for a class of the file's `[classes]`,
`nag-` for any word that starts so, and `..` for at most three words of the same sentence. RE2 never
backtracks, so a text of any length costs the same per character.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

import re2

from services.moderation.text.domain.folding import FoldingTable, fold_text

_CLASS: Final = re.compile(r"\{(\w+)\}")
_ALLOWED: Final = re.compile(r"[\w ()|-]*")
# A choice that may be missing takes the space that follows it along.
_MISSING: Final = re.compile(r"\|\) ")
_GAP: Final = ".. "
_GAP_PATTERN: Final = r"(?:[^ .,]+ ){0,3}"


class PhraseRefused(ValueError):
    """A phrase that cannot be compiled, and why."""


class Occurrence(NamedTuple):
    """[start, end) of the normalised text."""

    start: int
    end: int


class PhrasePattern:
    """The phrases of one entry, found in one pass."""

    def __init__(self, patterns: Iterable[str], folding: FoldingTable) -> None:
        choices = "|".join(f"(?:{_compiled(fold_text(p, folding).text)})" for p in patterns)
        self._pattern = re2.compile(rf"\b(?:{choices})\b")

    def find(self, text: str) -> Iterator[Occurrence]:
        """Return each occurrence in the normalised text, none overlapping."""
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


def _compiled(phrase: str) -> str:
    tight = _MISSING.sub("|)", phrase)
    tight = tight.replace("-", r"\w*")
    return tight.replace("(", "(?:").replace(_GAP, _GAP_PATTERN)
