"""Letters set apart ("c o n n a r d", "s.a.l.o.p.e") joined again.

A run of single letters is joined when it spells a word of the lists (give or take two one-letter
words such as "a" or "y" at either end), when wider gaps cut it into words, or when it is long.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from services.moderation.text.domain.vocabulary import Vocabulary, decode_leet

# One letter, one to three separators, and again; the classes share no character. Trap: a condition
# behind the run (a letter that is no "!", no word) would be tried at each of its letters, from each
# of its letters on: quadratic. The run is taken whole, and `_trimmed` sees to its end.
_RUN = re.compile(r"(?<![^\W_])[a-z0-9@$!](?:[ .\-_*·,/|]{1,3}[a-z0-9@$!]){2,}")
_SEPARATORS = " .-_*·,/|"
_LETTER = "[a-z0-9@$]"
_GAP = re.compile(r"[ .\-_*·,/|]+")
_LONG = 5
_FEWEST_GAPS = 2
# Letters left over at the head and at the tail: "a", "y", "l", "d" are words of their own.
_TRIMS = ((0, 0), (0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2), (2, 1), (2, 2))
_SHORTEST = 3


class Token(NamedTuple):
    """A word as meant at [start, end) of the folded text."""

    word: str
    start: int
    end: int
    disguised: bool = False


def join_spaced_letters(folded: str, vocabulary: Vocabulary) -> Iterator[Token]:
    """The words spelled letter by letter, in order; other runs are left to be read as they are."""
    for run in _RUN.finditer(folded):
        letters = _trimmed(run.group(), folded[run.end() : run.end() + 1])
        if any(letter.isalpha() for letter in letters):
            yield from _words(letters, run.start(), vocabulary)


def _trimmed(run: str, following: str) -> str:
    """Cut off the end a letter that begins a longer word, and then exclamation marks."""
    if following.isalnum() and run[-1] != "!":
        run = run[:-1]
    return run.rstrip(f"!{_SEPARATORS}")


def _words(run: str, at: int, vocabulary: Vocabulary) -> Iterator[Token]:
    gaps = [len(gap) for gap in _GAP.findall(run)]
    if len(gaps) < _FEWEST_GAPS:
        return
    if min(gaps) == max(gaps):
        yield from _one_word(run, at, min(gaps), vocabulary)
        return
    # Wider gaps stand between the words: "f i l s  d e  p u t e".
    step = f"{_GAP.pattern[:-1]}{{{min(gaps)}}}"
    for word in re.finditer(rf"{_LETTER}(?:{step}{_LETTER})*", run):
        raw = _GAP.sub("", word.group())
        read = vocabulary.recover(raw) or decode_leet(raw)
        yield Token(read, at + word.start(), at + word.end(), len(raw) > 1)


def _one_word(run: str, at: int, gap: int, vocabulary: Vocabulary) -> Iterator[Token]:
    raw = _GAP.sub("", run)
    step = gap + 1
    for head, tail in _TRIMS:
        stop = len(raw) - tail
        if stop - head >= _SHORTEST and (word := vocabulary.recover(raw[head:stop])):
            yield from _letters(raw, range(head), at, step)
            yield Token(word, at + head * step, at + (stop - 1) * step + 1, disguised=True)
            yield from _letters(raw, range(stop, len(raw)), at, step)
            return
    if len(raw) >= _LONG and raw.isalpha():
        yield Token(raw, at, at + len(run), disguised=True)


def _letters(raw: str, places: range, at: int, step: int) -> Iterator[Token]:
    for place in places:
        yield Token(raw[place], at + place * step, at + place * step + 1, disguised=False)
