"""Password strength by zxcvbn, with common French words and words known about the person."""

import re
import threading
import unicodedata
from collections.abc import Sequence

from zxcvbn import zxcvbn

from services.identity.sessions.store.common_words import COMMON_WORDS
from services.identity.sessions.store.hashing_pool import HashingPool

MIN_GUESSES = 10**8
"""Sign-in allows some hundred guesses a day; with a stolen table each costs 25 ms of a core."""
MAX_ESTIMATED_CHARACTERS = 72
"""Longer passwords are cut: the rest only adds strength, and the work grows superlinearly."""
_SIGNS = frozenset("4@8({[<369!1|0$5+7%2")
MAX_SIGNS, PIECE_CHARACTERS = 6, 24
"""Trap: zxcvbn tries every letter that such a sign may replace, which took 2.6 s for 72 characters.
A password with more signs is estimated in pieces of this length: 0.16 s at most, measured."""
MIN_KNOWN_CHARACTERS = 6
"""Shorter words about the person are left to zxcvbn."""
MIN_JOINED_CHARACTERS = 8
"""Fewest letters and digits for estimating the password also without its other signs."""
_WORD = re.compile(r"[^\W_]+")


class ZxcvbnEstimator:
    """See `ports.PasswordStrengthEstimator`."""

    def __init__(self) -> None:
        self._pool = HashingPool(1)
        # Trap: zxcvbn stores the words of a call in a module variable; concurrent calls mix them.
        self._one_at_a_time = threading.Lock()

    async def is_guessable(self, password: str, words: Sequence[str]) -> bool:
        """See `ports.PasswordStrengthEstimator`. Raises `Overloaded`."""
        return await self._pool.run(lambda: self.is_guessable_blocking(password, words))

    def is_guessable_blocking(self, password: str, words: Sequence[str]) -> bool:
        """Return whether the password is guessable; runs in the caller's thread."""
        known_texts = _spellings(words)
        reduced = _shorten_known_texts(_fold(password), known_texts)
        joined = "".join(_WORD.findall(reduced))
        forms = [reduced, joined] if len(joined) >= MIN_JOINED_CHARACTERS else [reduced]
        return any(
            self._is_guessable(form[:MAX_ESTIMATED_CHARACTERS], known_texts) for form in forms
        )

    def _is_guessable(self, form: str, known_texts: Sequence[str]) -> bool:
        length = (
            MAX_ESTIMATED_CHARACTERS if len(_SIGNS & set(form)) <= MAX_SIGNS else PIECE_CHARACTERS
        )
        pieces = [form[start : start + length] for start in range(0, len(form), length)]
        inputs = [*known_texts, *COMMON_WORDS]
        return all(self._count_guesses(piece, inputs) < MIN_GUESSES for piece in pieces)

    async def close(self) -> None:
        await self._pool.close()

    def _count_guesses(self, piece: str, words: Sequence[str]) -> int:
        with self._one_at_a_time:
            return int(
                zxcvbn(piece, user_inputs=words, max_length=MAX_ESTIMATED_CHARACTERS)["guesses"]
            )


def _shorten_known_texts(password: str, known_texts: Sequence[str]) -> str:
    """Replace each known text by its first character; it may be longer than an estimated piece."""
    for text in sorted(known_texts, key=len, reverse=True):
        if len(text) >= MIN_KNOWN_CHARACTERS:
            password = password.replace(text, text[0])
    return password


def _fold(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    return "".join(c for c in decomposed if unicodedata.category(c) not in {"Mn", "Me", "Cf"})


def _spellings(words: Sequence[str]) -> list[str]:
    """Return each text whole, without separators between its words, and word by word."""
    spellings: dict[str, None] = {}
    for text in map(_fold, words):
        parts = _WORD.findall(text)
        spellings |= dict.fromkeys([text, "".join(parts), *(p for p in parts if len(p) > 1)])
    return list(spellings)
