"""One character to the letters it stands for: case, accents, widths, styles, look-alikes.

Folding goes character by character (so NFKC and its cousins lose nothing: the marks that
composition would reorder are dropped), which is what keeps the way back to the original.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

# Letters that Unicode does not take apart, apostrophes, and blanks of no class of blanks.
_SPECIAL = {
    "œ": "oe", "Œ": "oe", "æ": "ae", "Æ": "ae", "ø": "o", "Ø": "o", "ł": "l", "Ł": "l",
    "đ": "d", "Đ": "d", "\u0131": "i", "\u2019": "'", "\u2018": "'", "\u02bc": "'", "\uff07": "'",
    "\u02b9": "'", "\u02bb": "'", "\u02bd": "'", "\u02c8": "'", "\u201b": "'", "\ua78c": "'",
    "\u00b4": "'", "\u2032": "'", "`": "'",
    "\u3164": "", "\u115f": "", "\u1160": "", "\uffa0": "", "\u2800": "",
}  # fmt: skip
# First code point of alphabets drawn as signs: circled, squared, regional indicators.
_SIGN_ALPHABETS = (0x1F150, 0x1F170, 0x1F1E6)
_LETTERS = 26
# An author could send every character there is; the ones of our languages come first.
_REMEMBERED = 20_000
_IGNORED = frozenset({"Cf", "Mn", "Me"})
# Letters that one character may become ("ffi", "viii"). Trap: U+FDFA becomes eighteen of them, and
# a text of nothing else eighteen times as long.
_LONGEST_FOLDED = 4


class Homoglyph(TypedDict):
    """A row of the confusables table: another character (or several) that looks alike."""

    c: str
    n: str


def build_lookalike_table(confusables: Mapping[str, Sequence[Homoglyph]]) -> dict[str, str]:
    """The foreign letter → the ASCII letter it is taken for, from Unicode's confusables table.

    Where several would do, the same case wins: Cyrillic capital Ve is B, and no b.
    """
    table: dict[str, str] = {}
    for char, rows in confusables.items():
        if len(char) != 1 or char.isascii() or not char.isalpha():
            continue
        found = [row["c"] for row in rows if row["c"].isascii() and row["c"].isalpha()]
        single = [letter for letter in found if len(letter) == 1]
        same_case = [letter for letter in single if letter.isupper() == char.isupper()]
        if single:
            table[char] = (same_case or single)[0]
    return table


class FoldingTable(dict[int, str]):
    """A table for `str.translate` that fills itself: code point → folded letters.

    `uneven` holds the characters met that do not fold to exactly one (they move the offsets);
    `disguises`, those that hide a letter: look-alikes, sign alphabets, invisible characters.
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
        if len(self) < _REMEMBERED:
            self[code] = folded
        return folded

    def _fold(self, char: str) -> str:
        if char in _SPECIAL:
            if not _SPECIAL[char]:
                self.disguising.add(char)
            return _SPECIAL[char]
        for first in _SIGN_ALPHABETS:
            if first <= ord(char) < first + _LETTERS:
                self.disguising.add(char)
                return chr(ord("a") + ord(char) - first)
        if unicodedata.category(char) == "Cf":
            self.disguising.add(char)
        plain = "".join(
            part
            for part in unicodedata.normalize("NFKD", char)
            if unicodedata.category(part) not in _IGNORED
        )
        if len(plain) > _LONGEST_FOLDED:
            return char
        if not plain.isascii():
            read = "".join(self._lookalikes.get(part, part) for part in plain)
            if read != plain:
                self.disguising.add(char)
            plain = read
        return plain.casefold()


@dataclass(frozen=True, slots=True)
class FoldedText:
    """A folded text and, for each of its characters, where it comes from (and one past the end)."""

    text: str
    offsets: Sequence[int]

    def original_range(self, start: int, end: int) -> tuple[int, int]:
        """The original's characters behind [start, end): marks and invisible ones included."""
        return self.offsets[start], max(self.offsets[end], self.offsets[end - 1] + 1)


def fold_text(text: str, folding: FoldingTable) -> FoldedText:
    folded = text.translate(folding)
    if folding.length_changing.isdisjoint(text):
        return FoldedText(folded, range(len(text) + 1))
    origin: list[int] = []
    for index, char in enumerate(text):
        origin += [index] * len(folding[ord(char)])
    origin.append(len(text))
    return FoldedText(folded, origin)


def replace_surrogates(text: str) -> str:
    """The same length, without the lone surrogates that JSON lets through and UTF-8 refuses."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text
