"""From a text as typed to words as meant, each with its place in the original.

Steps: fold characters (width, style, case, accents, look-alikes, invisible ones) → cut into words
→ join spaced letters → undo leet, stars and repeated letters. The result reads
`" tu es un con . "`: words between single spaces, a full stop where the sentence breaks, so that
a phrase is found across "va te... faire" but never across two sentences.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from services.moderation.text.domain.folding import Folded, Folding, fold
from services.moderation.text.domain.spans import Span, covered
from services.moderation.text.domain.vocabulary import LEET, RUN, Vocabulary, decoded

BREAK = "."
# Disjoint classes, one after the other: linear on any input.
_TOKEN = re.compile(r"[@$]?[^\W_]+(?:[@$!*]+[^\W_]+)*|[@$]|[.!?;:…()\[\]{}\n\"«»“”]")
_PART = re.compile(r"[^\W_]+")
_LEET = re.compile(r"[0134578@$!]")
_LEET_INSIDE = re.compile(r"(?<=[a-z])[0134578@$!]+(?=[a-z])")
_SPACED_RUN = 3
_SPACED_RUN_UNKNOWN = 5
_WIDEST_GAP = 3


@dataclass(frozen=True, slots=True)
class Word:
    """A word as meant; `disguised` when it took leet, spaced or foreign letters to read it."""

    text: str
    span: Span
    disguised: bool = False


@dataclass(frozen=True)
class Normalised:
    """Words in order, sentence breaks among them; `text` is what lists and rules match."""

    words: tuple[Word, ...]

    @cached_property
    def text(self) -> str:
        return " ".join(("", *(word.text for word in self.words), ""))

    @cached_property
    def _starts(self) -> list[int]:
        starts: list[int] = []
        at = 1
        for word in self.words:
            starts.append(at)
            at += len(word.text) + 1
        return starts

    def words_at(self, start: int, end: int) -> range:
        """Which words [start, end) of `text` touches; the spaces around do not count."""
        first = max(bisect_right(self._starts, start) - 1, 0)
        if self.words and start >= self._starts[first] + len(self.words[first].text):
            first += 1
        return range(first, max(first, bisect_left(self._starts, end)))

    def original(self, start: int, end: int) -> Span:
        """[start, end) of `text`, back in the original: whole words, from first to last."""
        touched = self.words[slice(*self.words_at(start, end).indices_of)] if False else None
        del touched
        words = [self.words[index] for index in self.words_at(start, end)]
        return Span(words[0].span.start, words[-1].span.end) if words else Span(0, 0)
