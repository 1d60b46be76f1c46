"""Spaced letters ("c o n n a r d", "s.a.l.o.p.e") joined to words.

A run of single letters is joined when it spells a word of the lists (with up to two one-letter
words such as "a" or "y" at either end), when wider gaps divide it into words, or when it is long.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from services.moderation.text.domain.vocabulary import Vocabulary, decode_leet

# One letter, one to three separators, repeated; the classes are disjoint. Trap: a condition after
# the run (such as a lookahead) would be tried at each of its letters, from each of its letters on:
# quadratic time. So the whole run is matched, and `_trim_end` corrects its end.
_RUN = re.compile(r"(?<![^\W_])[a-z0-9@$!](?:[ .\-_*·,/|]{1,3}[a-z0-9@$!]){2,}")
_SEPARATORS = " .-_*·,/|"
_LETTER = "[a-z0-9@$]"
_GAP = re.compile(r"[ .\-_*·,/|]+")
_MIN_JOINED_LETTERS = 5
_MIN_GAPS = 2
# Letters left over at the head and at the tail: "a", "y", "l", "d" are words themselves.
_TRIMMED_LETTERS = ((0, 0), (0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2), (2, 1), (2, 2))
_MIN_WORD_LETTERS = 3


class Token(NamedTuple):
    """A word in standard spelling, at [start, end) of the folded text."""

    word: str
    start: int
    end: int
    disguised: bool = False


def join_spaced_letters(folded: str, vocabulary: Vocabulary) -> Iterator[Token]:
    """Yield the words that are spelled with spaced letters, in order; other runs are skipped."""
    for run in _RUN.finditer(folded):
        letters = _trim_end(run.group(), folded[run.end() : run.end() + 1])
        if any(letter.isalpha() for letter in letters):
            yield from _split_run(letters, run.start(), vocabulary)


def _trim_end(run: str, following: str) -> str:
    """Remove the first character of a longer word from the end, then exclamation marks."""
    if following.isalnum() and run[-1] != "!":
        run = run[:-1]
    return run.rstrip(f"!{_SEPARATORS}")


def _split_run(run: str, offset: int, vocabulary: Vocabulary) -> Iterator[Token]:
    gaps = [len(gap) for gap in _GAP.findall(run)]
    if len(gaps) < _MIN_GAPS:
        return
    if min(gaps) == max(gaps):
        yield from _join_run(run, offset, min(gaps), vocabulary)
        return
    # Wider gaps divide the words: "f i l s  d e  p u t e".
    step = f"{_GAP.pattern[:-1]}{{{min(gaps)}}}"
    for word in re.finditer(rf"{_LETTER}(?:{step}{_LETTER})*", run):
        raw = _GAP.sub("", word.group())
        text = vocabulary.recover(raw) or decode_leet(raw)
        yield Token(text, offset + word.start(), offset + word.end(), len(raw) > 1)


def _join_run(run: str, offset: int, gap: int, vocabulary: Vocabulary) -> Iterator[Token]:
    raw = _GAP.sub("", run)
    step = gap + 1
    for head, tail in _TRIMMED_LETTERS:
        stop = len(raw) - tail
        if stop - head >= _MIN_WORD_LETTERS and (word := vocabulary.recover(raw[head:stop])):
            yield from _single_letters(raw, range(head), offset, step)
            yield Token(word, offset + head * step, offset + (stop - 1) * step + 1, disguised=True)
            yield from _single_letters(raw, range(stop, len(raw)), offset, step)
            return
    if len(raw) >= _MIN_JOINED_LETTERS and raw.isalpha():
        yield Token(raw, offset, offset + len(run), disguised=True)


def _single_letters(raw: str, positions: range, offset: int, step: int) -> Iterator[Token]:
    for position in positions:
        yield Token(raw[position], offset + position * step, offset + position * step + 1)
