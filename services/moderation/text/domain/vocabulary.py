"""Vocabulary of listed words, recovered from disguised spellings.

Only a word of the lists is recovered, so an ordinary token in an odd spelling stays unchanged.
There is no edit distance: on words of five letters it confuses "salode" with "salope", and produces
false positives in ordinary French.
"""

import re
from collections.abc import Iterable
from itertools import groupby

# Ten characters used for letters; measured: .98 of leet spellings are recovered with these.
LEET_LETTERS = {
    "0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b", "@": "a", "$": "s",
    "!": "i",
}  # fmt: skip
_LEET_TABLE = str.maketrans(LEET_LETTERS)
_MIN_WORD_LETTERS = 3
_MIN_CENSORED_LETTERS = 4
REPEATED_LETTER = re.compile(r"(.)\1{2,}")


def decode_leet(token: str) -> str:
    return token.translate(_LEET_TABLE)


def squeeze_repeats(token: str) -> str:
    """Reduce every run of the same character to one."""
    return "".join(letter for letter, _ in groupby(token))


def _skeleton(token: str) -> str:
    # 1 and ! are used for i as well as for l: in a skeleton the two are one letter.
    return squeeze_repeats(decode_leet(token).replace("l", "i"))


class Vocabulary:
    """Folded single words, looked up by leet spelling, repeated letters and stars."""

    def __init__(self, words: Iterable[str] = ()) -> None:
        sorted_words = sorted({word for word in words if len(word) >= _MIN_WORD_LETTERS})
        self._words = frozenset(sorted_words)
        self._skeletons = {_skeleton(word): word for word in reversed(sorted_words)}
        self._by_length: dict[int, list[str]] = {}
        # (length, position, letter) → the words of this length that have it there, as bits of an
        # integer: a censored token is looked up by its legible letters, whatever the lists' length.
        self._legible: dict[tuple[int, int, str], int] = {}
        for word in sorted_words:
            same_length = self._by_length.setdefault(len(word), [])
            for position, letter in enumerate(word):
                key = (len(word), position, letter)
                self._legible[key] = self._legible.get(key, 0) | 1 << len(same_length)
            same_length.append(word)

    def __contains__(self, word: str) -> bool:
        return word in self._words

    def recover(self, token: str) -> str | None:
        """Return the word for a token with leet or repeated letters; exact spelling wins."""
        plain = decode_leet(token)
        return plain if plain in self._words else self._skeletons.get(_skeleton(token))

    def uncensor(self, token: str) -> str | None:
        """Return the word for a token with stars ("c*nnard"); at least half must be legible."""
        length = len(token)
        if length < _MIN_CENSORED_LETTERS or length not in self._by_length:
            return None
        if token.count("*") * 2 > length:
            return None
        candidates = -1
        for position, letter in enumerate(token):
            if letter != "*":
                candidates &= self._legible.get((length, position, letter), 0)
                if not candidates:
                    return None
        first = (candidates & -candidates).bit_length() - 1
        return self._by_length[length][first]
