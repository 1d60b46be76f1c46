"""Whom a word is said to, and whether it is said at all or only spoken about.

Both look at the words around one, never across a sentence: "le mot connard" is a mention, "tu es
un connard" is aimed at the reader, "quel connard" is neither.
"""

from typing import Final

from services.moderation.text.domain.normalising import BREAK, Normalised

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
# Earlier in the sentence: somebody tells what was done to them. Their words must not be hidden.
_TOLD: Final = tuple(
    f" {who} {did} "
    for whos, verbs in (
        (
            "m a|m ont|nous a|nous ont|l a|l ont|lui a|lui ont",
            "dit|traite|traitee|ecrit|appele|appelee|envoye|crie",
        ),
        ("me|nous", "dit|disent|traite|traitent|ecrit|ecrivent|crie|crient"),
        ("told|called|calls|call|texted|wrote|calling", "me|us|him|her|them"),
        ("said|says", "to me|to him|to her"),
    )
    for who in whos.split("|")
    for did in verbs.split("|")
)
_TOLD_REACH = 9
# Before or after, close by: the reader is spoken to.
_YOU: Final = frozenset(
    "tu t toi te ta ton tes vous espece sale sales gros grosse pauvre petit petite "
    "you u ur your youre yourself".split()
)
_YOU_REACH = 4
_BARE = 4


def _around(words: Normalised, start: int, stop: int) -> list[str]:
    return [word.text for word in words.words[max(start, 0) : stop]]


def is_mentioned(words: Normalised, found: range) -> bool:
    """Spoken about in its sentence: "le mot X", "X signifie", "il m'a traitée de X"."""
    before = _sentence_before(words, found, _TOLD_REACH)
    after = _around(words, found.stop, found.stop + 1)
    said = " ".join(("", *before, ""))
    return (
        not _ABOUT.isdisjoint(before[-_ABOUT_REACH:])
        or not _EXPLAINED.isdisjoint(after)
        or any(told in said for told in _TOLD)
    )


def _sentence_before(words: Normalised, found: range, reach: int) -> list[str]:
    before = _around(words, found.start - reach, found.start)
    while BREAK in before:
        before = before[before.index(BREAK) + 1 :]
    return before


def is_aimed(words: Normalised, found: range) -> bool:
    """Said to somebody: a "you" close by in the sentence, or hardly anything else said in it."""
    before = _sentence_before(words, found, _YOU_REACH)
    after = _around(words, found.stop, found.stop + _YOU_REACH)
    closed = len(before) < _YOU_REACH
    ended = len(after) < _YOU_REACH or BREAK in after
    if BREAK in after:
        after = after[: after.index(BREAK)]
    said = {*before, *_around(words, found.start, found.stop), *after}
    bare = closed and ended and len(before) + len(after) < _BARE
    return bare or not _YOU.isdisjoint(said)
