"""Use and mention of a word: aimed at a person, or only spoken about.

Both are read from the words close by, never across a sentence: "le mot connard" is a mention, "tu
es un connard" is aimed at the hearer, "quel connard" is neither.
"""

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Final

from services.moderation.text.domain.normalisation import SENTENCE_BREAK
from services.moderation.text.domain.speech_verbs import DETERMINERS, REPORTING_WORDS

# Directly before a word that is mentioned, not used.
_METALINGUISTIC_WORDS: Final = frozenset(
    "mot mots terme termes expression insulte insultes injure injures verbe adjectif nom locution "
    "orthographe synonyme synonymes prononce ecrit traduire traduit "
    "word words term terms phrase insult slur verb noun adjective synonym translate spell "
    "pronounce called".split()
)
# Directly after a word that is explained.
_DEFINING_VERBS: Final = frozenset("signifie signifient means vient derive".split())
_MAX_WORDS_TO_ABOUT = 2
# Close by: the hearer is addressed.
_YOU: Final = frozenset(
    "tu t toi te ta ton tes vous espece sale sales gros grosse pauvre petit petite "
    "you u ur your youre yourself".split()
)
_HEARER: Final = frozenset("tu t toi te ta ton tes vous you u ur your youre yourself".split())
_MAX_WORDS_TO_YOU = 4
_MIN_WORDS_AROUND = 4
_AUTHOR: Final = frozenset("je j me m moi mon ma mes nous i my".split())
_MAX_WORDS_TO_AUTHOR = 40
_CLAUSE_SIGNS: Final = frozenset(',:;—–«»“”"\u2018„\u2039')
_SECOND_PERSON_POSSESSIVES: Final = frozenset("ta ton tes".split())
_BEFORE_IMPERATIVE: Final = frozenset(
    "haha hahaha ahah hihi wallah wlh wola sah ptn xd pff bref nn nan si oe khey cousin gars "
    "frerot reuf copine poto salut bonjour cc coucou yo merci espece "
    "et mais alors donc allez aller vas vasy y stp svp toi bah ben eh he hey oh ouais "
    "oui non wsh wesh frr frere mec meuf mdr mdrr lol ptdr pis puis sinon plutot juste "
    "vite tg ftg ok bon aussi moi tiens genre plz please tous toutes go just then and so "
    "vraiment jure serieux salope pute connard connasse batard batarde encule enculee "
    "conne con bouffon fdp pd merde truie chienne gros grosse sale maintenant "
    "franchement putain".split()
)


class MentionDetector:
    """Classifies matches by the words close by in their sentence, in constant time per match."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = words
        self._starts, self._ends = _sentence_bounds(words)
        self._about_words = _running_count(words, _METALINGUISTIC_WORDS)
        self._you_words = _running_count(words, _YOU)
        self._hearer_words = _running_count(words, _HEARER)
        self._author_words = _running_count(words, _AUTHOR)

    def is_metalinguistic(self, match: range) -> bool:
        """Return whether the match is spoken about as a word: "le mot X", "X signifie"."""
        first = max(match.start - _MAX_WORDS_TO_ABOUT, self._starts[match.start])
        if self._about_words[match.start] > self._about_words[first]:
            return True
        return match.stop < len(self._words) and self._words[match.stop] in _DEFINING_VERBS

    def is_aimed(self, match: range) -> bool:
        """Return whether a "you" is close by in the sentence, or hardly anything else in it."""
        first, stop = self._context(match)
        if self._you_words[stop] > self._you_words[first]:
            return True
        is_bare = match.start - first + stop - match.stop < _MIN_WORDS_AROUND
        return is_bare and "je" not in self._words[first : match.start]

    def is_to_hearer(self, match: range) -> bool:
        """Return whether a "you" is in the match or close by in its sentence."""
        first, stop = self._context(match)
        return self._hearer_words[stop] > self._hearer_words[first]

    def has_author(self, match: range) -> bool:
        """Return whether the author is named in the sentence, outside of the match."""
        first = max(match.start - _MAX_WORDS_TO_AUTHOR, self._starts[match.start])
        stop = min(match.stop + _MAX_WORDS_TO_AUTHOR, self._ends[match.stop])
        counts = self._author_words
        return counts[match.start] > counts[first] or counts[stop] > counts[match.stop]

    def _context(self, match: range) -> tuple[int, int]:
        """Return where the words close by start and stop: not beyond the match's sentence."""
        first = max(match.start - _MAX_WORDS_TO_YOU, self._starts[match.start])
        return first, min(match.stop + _MAX_WORDS_TO_YOU, self._ends[match.stop])


def _sentence_bounds(words: Sequence[str]) -> tuple[list[int], list[int]]:
    """Return, for each index up to the text's end, where the sentence around it starts and ends."""
    starts: list[int] = []
    ends: list[int] = []
    start = 0
    for index, word in enumerate(words):
        starts.append(start)
        if word == SENTENCE_BREAK:
            ends += [index] * (index + 1 - start)
            start = index + 1
    starts.append(start)
    ends += [len(words)] * (len(words) + 1 - start)
    return starts, ends


def _running_count(words: Iterable[str], counted: frozenset[str]) -> list[int]:
    """Return how many of the counted words are before each index of a text, its end included."""
    return list(accumulate(map(counted.__contains__, words), initial=0))


def opens_clause(words: Sequence[str], gaps: Sequence[str], start: int) -> bool:
    """Return whether an imperative may start at `start`: "va mourir", not "il va mourir".

    "Ta mère va mourir" counts too: it is meant to hurt.
    """
    if (
        start == 0
        or words[start - 1] == SENTENCE_BREAK
        or not _CLAUSE_SIGNS.isdisjoint(gaps[start])
    ):
        return True
    previous = words[start - 1]
    earlier = words[start - 2] if start > 1 else ""
    if previous in _BEFORE_IMPERATIVE:
        return earlier not in DETERMINERS
    return previous in REPORTING_WORDS or earlier in _SECOND_PERSON_POSSESSIVES
