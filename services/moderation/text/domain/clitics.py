"""French clitics in one spelling, whatever the apostrophe: "j'te", "jte", "chuis", "t un".

Before a vowel a clitic is one letter ("t egorger"), before a consonant it is whole ("te tuer"), as
in standard French; lists follow by `elided`. One pass with one word of lookahead.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from services.moderation.text.domain.letter_spacing import Token

_VOWELS: Final = frozenset("aeiouy")
# The letter of an elided clitic, and its whole form.
_WHOLE: Final = {
    "j": "je", "t": "te", "m": "me", "s": "se", "l": "le", "d": "de", "n": "ne", "c": "ce",
    "qu": "que",
}  # fmt: skip
# Spellings of two words in one: where the first ends, and both as meant.
_CONTRACTED: Final = {
    "jt": (1, "je", "te"), "jv": (1, "je", "vais"), "chui": (1, "je", "suis"),
    "chuis": (1, "je", "suis"), "shui": (1, "je", "suis"), "shuis": (1, "je", "suis"),
    "jsui": (1, "je", "suis"), "jvai": (1, "je", "vais"), "jve": (1, "je", "vais"),
    "jveu": (1, "je", "veux"), "tvas": (1, "tu", "vas"), "tva": (1, "tu", "vas"),
    "sfait": (1, "se", "fait"), "sfaire": (1, "se", "faire"), "mfait": (1, "me", "fait"),
    "mfont": (1, "me", "font"), "mdit": (1, "me", "dit"), "mdisent": (1, "me", "disent"),
    "jmfais": (1, "je", "mfais"), "mfais": (1, "me", "fais"),
}  # fmt: skip
# J before a consonant opens no French word but these.
_OWN_WORDS: Final = frozenset("jpeg json jpop jquery jdid jsp jpp jdr".split())
_SHORTEST_HIDING: Final = 3
_OBJECTS: Final = frozenset("te t vous le la".split())
_GOES: Final = frozenset("vais va vont".split())
_GOING: Final = frozenset("vai ve vas vait vay".split())
_SOUNDS: Final = {"twa": "toi", "toa": "toi", "toua": "toi"}
# Right after the second person, SMS leaves out "es": "t un", "t trop".
_AFTER_COPULA: Final = frozenset("un une qu trop vraiment tellement juste grave rien".split())
_BEFORE_DE: Final = frozenset("fils fille traite traiter traitee traites bande espece tete".split())
_ELIDED: Final = re.compile(r"\b(je|me|te|se|le|la|de|ne|que|ce|tu) (?=[aeiouyh])")


@dataclass(frozen=True, slots=True)
class CliticExpander:
    """Reads clitics as meant; knows which listed words may hide behind a missing apostrophe.

    `elidable`: words that the lists put after "te" ("egorger"); `predicates`: words that they put
    after "t es" ("moche"); `infinitives`: verbs after "te", also spelt "je vais te tué".
    """

    elidable: frozenset[str] = frozenset()
    predicates: frozenset[str] = _AFTER_COPULA
    infinitives: frozenset[str] = frozenset()

    def expand(self, words: Iterable[Token], folded: str) -> Iterator[Token]:
        """Give the words in standard spelling; `folded` is the text that they were cut from."""
        before, previous = "", ""
        for word, following in _with_next(part for one in words for part in self._parts(one)):
            gap = folded[word.end : following.start] if following else ""
            whole = _whole(word, gap, following, previous)
            if previous in _OBJECTS and before in _GOES and f"{whole.word}r" in self.infinitives:
                whole = whole._replace(word=f"{whole.word}r")
            for read in self._with_copula(whole, following):
                yield read
                before, previous = previous, read.word

    def _parts(self, word: Token) -> Iterator[Token]:
        text = _SOUNDS.get(word.word, word.word)
        if word.disguised:
            yield word
        elif text in _CONTRACTED and word.end - word.start > 1:
            cut, first, second = _CONTRACTED[text]
            yield word._replace(word=first, end=word.start + cut)
            yield from self._parts(word._replace(word=second, start=word.start + cut))
        elif self._hides_clitic(text) and word.end - word.start == len(text):
            yield word._replace(word=text[0], end=word.start + 1)
            yield from self._parts(word._replace(word=text[1:], start=word.start + 1))
        else:
            yield word if text == word.word else word._replace(word=text)

    def _hides_clitic(self, text: str) -> bool:
        if len(text) < _SHORTEST_HIDING:
            return False
        if text[0] == "j" and text[1] not in _VOWELS and text[1] != "h":
            return text not in _OWN_WORDS and not _VOWELS.isdisjoint(text)
        rest = text[1:]
        return text[0] in "tmsl" and (rest in self.elidable or rest in self.infinitives)

    def _with_copula(self, word: Token, following: Token | None) -> Iterator[Token]:
        """Add the "es" that SMS leaves out after a second person ("t moche", "tes une")."""
        after = following.word if following else ""
        if word.word not in ("t", "te", "tes") or after not in self.predicates:
            yield word
        elif word.end - word.start == 1:
            yield word._replace(word="t")
            yield word._replace(word="es")
        else:
            yield word._replace(word="t", end=word.start + 1)
            yield word._replace(word="es", start=word.start + 1)


DEFAULT_EXPANDER: Final = CliticExpander()


def _whole(word: Token, gap: str, following: Token | None, previous: str) -> Token:
    """The whole form of a clitic that is one letter before a consonant, and "vais" after "je"."""
    text = word.word
    if text in _GOING and previous in ("je", "j"):
        text = "vais"
    elif text == "est" and previous in ("tu", "t"):
        text = "es"
    elif text == "2" and previous in _BEFORE_DE:
        text = "de"
    elif text in _WHOLE and following and _is_whole_before(text, gap, following.word):
        text = _WHOLE[text]
    # Most words stay as they are: to copy them took a third of the time of a reading.
    return word if text == word.word else word._replace(word=text)


def _is_whole_before(clitic: str, gap: str, following: str) -> bool:
    if not following[0].isalpha() or following[0] in _VOWELS or following[0] == "h":
        return False
    # "t con" leaves out "es"; "t faire" leaves out the "e" of "te".
    infinitive = clitic == "t" and following.endswith(("er", "ir", "re"))
    return gap in ("", "'") or (gap == " " and (clitic == "j" or infinitive))


def elide(form: str) -> str:
    """The form as it is written: "te egorger" is "t egorger", "tu es" is also "t es"."""
    return _ELIDED.sub(lambda match: f"{_letter(match[1])} ", form)


def _letter(clitic: str) -> str:
    return "qu" if clitic == "que" else clitic[0]


def _with_next(words: Iterator[Token]) -> Iterator[tuple[Token, Token | None]]:
    current = next(words, None)
    while current is not None:
        following = next(words, None)
        yield current, following
        current = following
