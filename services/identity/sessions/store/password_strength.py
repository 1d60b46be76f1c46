"""Passwords judged by zxcvbn, with what is common in French and what is known of the person."""

import re
import threading
import unicodedata
from collections.abc import Sequence

from zxcvbn import zxcvbn

from services.identity.sessions.store.common_words import COMMON_WORDS
from services.identity.sessions.store.hashing_pool import HashingPool

GUESSABLE_BELOW = 10**8
"""Guesses. Sign-in lets through some hundred a day; a stolen table costs 25 ms of a core each."""
MAX_ESTIMATED_CHARACTERS = 72
"""Characters: what follows can only help, and the work grows faster than the length."""
_SIGNS = frozenset("4@8({[<369!1|0$5+7%2")
MAX_SIGNS, PIECE = 6, 24
"""Trap: zxcvbn tries all letters that each such sign may stand for, 2.6 s at 72 characters. Of a
password with more of them, pieces of this length are judged: 0.16 s at most, measured."""
KNOWN_LENGTH = 6
"""Characters; a shorter text that is known of the person is left to zxcvbn."""
SHORTEST_JOINED = 8
"""Letters and digits: with fewer, a password lives by its signs, which are left in then."""
_WORD = re.compile(r"[^\W_]+")


class ZxcvbnEstimator:
    """See `ports.PasswordStrengthEstimator`."""

    def __init__(self) -> None:
        self._pool = HashingPool(1)
        # zxcvbn keeps the words of the call in a module's variable.
        self._one_at_a_time = threading.Lock()

    async def is_guessable(self, password: str, words: Sequence[str]) -> bool:
        """See `ports.PasswordStrengthEstimator`. Raises `Overloaded`."""
        return await self._pool.run(lambda: self.is_guessable_blocking(password, words))

    def is_guessable_blocking(self, password: str, words: Sequence[str]) -> bool:
        """Judge in the caller's thread."""
        known = _spellings(words)
        whole = _without_known(_folded(password), known)
        joined = "".join(_WORD.findall(whole))
        forms = [whole, joined] if len(joined) >= SHORTEST_JOINED else [whole]
        return any(self._is_guessable(form[:MAX_ESTIMATED_CHARACTERS], known) for form in forms)

    def _is_guessable(self, judged: str, known: Sequence[str]) -> bool:
        length = MAX_ESTIMATED_CHARACTERS if len(_SIGNS & set(judged)) <= MAX_SIGNS else PIECE
        pieces = [judged[at : at + length] for at in range(0, len(judged), length)]
        inputs = [*known, *COMMON_WORDS]
        return all(self._guesses(piece, inputs) < GUESSABLE_BELOW for piece in pieces)

    async def close(self) -> None:
        """Stop the thread."""
        await self._pool.close()

    def _guesses(self, piece: str, known: Sequence[str]) -> int:
        with self._one_at_a_time:
            return int(
                zxcvbn(piece, user_inputs=known, max_length=MAX_ESTIMATED_CHARACTERS)["guesses"]
            )


def _without_known(password: str, known: Sequence[str]) -> str:
    """Let one letter stand for each known text: it may be longer than what is judged at once."""
    for text in sorted(known, key=len, reverse=True):
        if len(text) >= KNOWN_LENGTH:
            password = password.replace(text, text[0])
    return password


def _folded(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text).casefold()
    return "".join(c for c in apart if unicodedata.category(c) not in {"Mn", "Me", "Cf"})


def _spellings(words: Sequence[str]) -> list[str]:
    """Return each text whole, without what stands between its words, and word by word."""
    spellings: dict[str, None] = {}
    for text in map(_folded, words):
        parts = _WORD.findall(text)
        spellings |= dict.fromkeys([text, "".join(parts), *(p for p in parts if len(p) > 1)])
    return list(spellings)
