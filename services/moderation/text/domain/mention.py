"""Whom a word is said to, and whether it is said at all or only spoken about.

Both look at the words around one, never across a sentence: "le mot connard" is a mention, "tu es
un connard" is aimed at the reader, "quel connard" is neither.
"""

from collections.abc import Sequence
from typing import Final

from services.moderation.text.domain.normalisation import SENTENCE_BREAK, NormalisedText
from services.moderation.text.domain.speech_verbs import DETERMINERS, REPORTING

# Right before: what follows is a word, not its use.
_ABOUT: Final = frozenset(
    "mot mots terme termes expression insulte insultes injure injures verbe adjectif nom locution "
    "orthographe synonyme synonymes prononce ecrit traduire traduit "
    "word words term terms phrase insult slur verb noun adjective synonym translate spell "
    "pronounce called".split()
)
# Right after: what came before is a word being explained.
_EXPLAINED: Final = frozenset("signifie signifient means vient derive".split())
_ABOUT_REACH = 2
# Before or after, close by: the reader is spoken to.
_YOU: Final = frozenset(
    "tu t toi te ta ton tes vous espece sale sales gros grosse pauvre petit petite "
    "you u ur your youre yourself".split()
)
_HEARER: Final = frozenset("tu t toi te ta ton tes vous you u ur your youre yourself".split())
_YOU_REACH = 4
_BARE = 4
_CLAUSE_SIGNS: Final = frozenset(',:;—–«»“”"\u2018„\u2039')
_YOURS: Final = frozenset("ta ton tes".split())
_BEFORE_ORDER: Final = frozenset(
    "haha hahaha ahah hihi wallah wlh wola sah ptn xd pff bref nn nan si oe khey cousin gars "
    "frerot reuf copine poto salut bonjour cc coucou yo merci espece "
    "et mais alors donc allez aller vas vasy y stp svp toi bah ben eh he hey oh ouais "
    "oui non wsh wesh frr frere mec meuf mdr mdrr lol ptdr pis puis sinon plutot juste "
    "vite tg ftg ok bon aussi moi tiens genre plz please tous toutes go just then and so "
    "vraiment jure serieux salope pute connard connasse batard batarde encule enculee "
    "conne con bouffon fdp pd merde truie chienne gros grosse sale maintenant "
    "franchement putain".split()
)


def _around(words: NormalisedText, start: int, stop: int) -> list[str]:
    return words.word_texts[max(start, 0) : stop]


def is_metalinguistic(words: NormalisedText, found: range) -> bool:
    """Spoken about as a word: "le mot X", "X signifie"."""
    before = _sentence_before(words, found, _ABOUT_REACH)
    after = _around(words, found.stop, found.stop + 1)
    return not _ABOUT.isdisjoint(before) or not _EXPLAINED.isdisjoint(after)


def _sentence_before(words: NormalisedText, found: range, reach: int) -> list[str]:
    before = _around(words, found.start - reach, found.start)
    while SENTENCE_BREAK in before:
        before = before[before.index(SENTENCE_BREAK) + 1 :]
    return before


def is_aimed(words: NormalisedText, found: range) -> bool:
    """Said to somebody: a "you" close by in the sentence, or hardly anything else said in it."""
    before, after = _beside(words, found)
    closed, ended = len(before) < _YOU_REACH, len(after) < _YOU_REACH
    said = {*before, *_around(words, found.start, found.stop), *after}
    bare = closed and ended and len(before) + len(after) < _BARE and "je" not in before
    return bare or not _YOU.isdisjoint(said)


def is_to_hearer(words: NormalisedText, found: range) -> bool:
    """A "you" stands in the words or close by in their sentence."""
    before, after = _beside(words, found)
    return not _HEARER.isdisjoint((*before, *_around(words, found.start, found.stop), *after))


def _beside(words: NormalisedText, found: range) -> tuple[list[str], list[str]]:
    """The words close by, of the same sentence; fewer than the reach where it ends."""
    after = _around(words, found.stop, found.stop + _YOU_REACH)
    if SENTENCE_BREAK in after:
        after = after[: after.index(SENTENCE_BREAK)]
    return _sentence_before(words, found, _YOU_REACH), after


def opens_clause(words: Sequence[str], gaps: Sequence[str], start: int) -> bool:
    """Return whether an order starts at `start`: "va mourir", "et va mourir", not "il va mourir".

    "Ta mère va mourir" counts too: it is said to hurt.
    """
    if (
        start == 0
        or words[start - 1] == SENTENCE_BREAK
        or not _CLAUSE_SIGNS.isdisjoint(gaps[start])
    ):
        return True
    before = words[start - 1]
    earlier = words[start - 2] if start > 1 else ""
    if before in _BEFORE_ORDER:
        return earlier not in DETERMINERS
    return before in REPORTING or earlier in _YOURS
