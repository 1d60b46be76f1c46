"""Character folding: case, accents, widths, styles and look-alikes, to the letters they represent.

It folds one character at a time (NFKC loses nothing by it: the marks that composition would reorder
are dropped), so that each folded character keeps its offset in the original.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

# Letters without a decomposition, apostrophes, and blanks that Unicode does not class as blanks.
_SPECIAL_FOLDINGS = {
    "œ": "oe", "Œ": "oe", "æ": "ae", "Æ": "ae", "ø": "o", "Ø": "o", "ł": "l", "Ł": "l",
    "đ": "d", "Đ": "d", "\u0131": "i", "\u2019": "'", "\u2018": "'", "\u02bc": "'", "\uff07": "'",
    "\u02b9": "'", "\u02bb": "'", "\u02bd": "'", "\u02c8": "'", "\u201b": "'", "\ua78c": "'",
    "\u00b4": "'", "\u2032": "'", "`": "'",
    "\u3164": "", "\u115f": "", "\u1160": "", "\uffa0": "", "\u2800": "",
}  # fmt: skip
# First code points of the alphabets of symbols: circled, squared, regional indicators.
_SYMBOL_ALPHABETS = (0x1F150, 0x1F170, 0x1F1E6)
_ALPHABET_LETTERS = 26
# Bounds the memory: an author could send every character of Unicode.
_MAX_CACHED_CHARACTERS = 20_000
_IGNORED_CATEGORIES = frozenset({"Cf", "Mn", "Me"})
# Letters that one character may become ("ffi", "viii"). Trap: U+FDFA becomes eighteen of them, and
# a text of nothing else eighteen times as long.
_MAX_FOLDED_LETTERS = 4


class Homoglyph(TypedDict):
    """A row of the confusables table: one or several characters that look like another."""

    c: str
    n: str


def build_lookalike_table(confusables: Mapping[str, Sequence[Homoglyph]]) -> dict[str, str]:
    """Return a foreign letter → the ASCII letter it looks like, from Unicode's confusables table.

    Of several candidates one of the same case wins: Cyrillic capital Ve is B, not b.
    """
    table: dict[str, str] = {}
    for char, homoglyphs in confusables.items():
        if len(char) != 1 or char.isascii() or not char.isalpha():
            continue
        candidates = [row["c"] for row in homoglyphs if row["c"].isascii() and row["c"].isalpha()]
        letters = [letter for letter in candidates if len(letter) == 1]
        same_case = [letter for letter in letters if letter.isupper() == char.isupper()]
        if letters:
            table[char] = (same_case or letters)[0]
    return table


class FoldingTable(dict[int, str]):
    """A table for `str.translate` that fills itself: code point → folded letters.

    `length_changing`: characters met so far that do not fold to exactly one (they move the
    offsets); `disguising`: characters that hide a letter: look-alikes, sign alphabets, invisible
    characters.
    """

    def __init__(self, lookalikes: Mapping[str, str]) -> None:
        super().__init__()
        self._lookalikes = lookalikes
        self.length_changing: set[str] = set()
        self.disguising: set[str] = set()

    def __missing__(self, code: int) -> str:
        char = chr(code)
        folded = self._fold(char)
        if len(folded) != 1:
            self.length_changing.add(char)
        if len(self) < _MAX_CACHED_CHARACTERS:
            self[code] = folded
        return folded

    def _fold(self, char: str) -> str:
        if char in _SPECIAL_FOLDINGS:
            if not _SPECIAL_FOLDINGS[char]:
                self.disguising.add(char)
            return _SPECIAL_FOLDINGS[char]
        for first in _SYMBOL_ALPHABETS:
            if first <= ord(char) < first + _ALPHABET_LETTERS:
                self.disguising.add(char)
                return chr(ord("a") + ord(char) - first)
        if unicodedata.category(char) == "Cf":
            self.disguising.add(char)
        base = "".join(
            part
            for part in unicodedata.normalize("NFKD", char)
            if unicodedata.category(part) not in _IGNORED_CATEGORIES
        )
        if len(base) > _MAX_FOLDED_LETTERS:
            return char
        if not base.isascii():
            replaced = "".join(self._lookalikes.get(part, part) for part in base)
            if replaced != base:
                self.disguising.add(char)
            base = replaced
        return base.casefold()


@dataclass(frozen=True, slots=True)
class FoldedText:
    """A folded text, and the original offset of each of its characters (plus one past the end)."""

    text: str
    offsets: Sequence[int]

    def original_range(self, start: int, end: int) -> tuple[int, int]:
        """Return the original's range for [start, end), marks and invisible characters included."""
        return self.offsets[start], max(self.offsets[end], self.offsets[end - 1] + 1)


def fold_text(text: str, folding: FoldingTable) -> FoldedText:
    """Return the folded text with the offsets of its characters in the original."""
    folded = text.translate(folding)
    if folding.length_changing.isdisjoint(text):
        return FoldedText(folded, range(len(text) + 1))
    origin: list[int] = []
    for index, char in enumerate(text):
        origin += [index] * len(folding[ord(char)])
    origin.append(len(text))
    return FoldedText(folded, origin)


def replace_surrogates(text: str) -> str:
    """Replace lone surrogates, which JSON allows and UTF-8 refuses; the length stays."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text
