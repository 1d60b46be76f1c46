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
# What may be two words begins with one of these, and has two letters at least.
_SHORTEST_CONTRACTED: Final = 2
_FIRST_OF_CONTRACTED: Final = frozenset("jtmsl") | {text[0] for text in _CONTRACTED}
_OBJECTS: Final = frozenset("te t vous le la".split())
_GOES: Final = frozenset("vais va vont".split())
_GOING: Final = frozenset("vai ve vas vait vay".split())
_SOUNDS: Final = {"twa": "toi", "toa": "toi", "toua": "toi"}
# Right after the second person, SMS leaves out "es": "t un", "t trop".
_AFTER_COPULA: Final = frozenset("un une qu trop vraiment tellement juste grave rien".split())
_BEFORE_DE: Final = frozenset("fils fille traite traiter traitee traites bande espece tete".split())
_SECOND_PERSON: Final = frozenset(("t", "te", "tes"))
# The words that `_whole` may write in another form.
_RESPELT: Final = frozenset((*_WHOLE, *_GOING, "est", "2"))
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

    def expand(self, tokens: Iterable[Token], folded: str) -> list[Token]:
        """Return the tokens in standard spelling; `folded` is the text that they were cut from."""
        parts: list[Token] = []
        for token in tokens:
            if self._may_contract(token):
                parts += self._parts(token)
            else:
                parts.append(token)
        expanded: list[Token] = []
        before, previous = "", ""
        for index, part in enumerate(parts, 1):
            following = parts[index] if index < len(parts) else None
            token = _whole(part, following, previous, folded) if part.word in _RESPELT else part
            if previous in _OBJECTS and before in _GOES and f"{token.word}r" in self.infinitives:
                token = token._replace(word=f"{token.word}r")
            if token.word in _SECOND_PERSON:
                for word in self._with_copula(token, following):
                    expanded.append(word)
                    before, previous = previous, word.word
            else:
                expanded.append(token)
                before, previous = previous, token.word
        return expanded

    def _may_contract(self, token: Token) -> bool:
        """Return False for the many tokens that `_parts` would give back as they are."""
        text = token.word
        if len(text) < _SHORTEST_CONTRACTED or token.disguised:
            return False
        return text[0] in _FIRST_OF_CONTRACTED or text in _SOUNDS

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
        if after not in self.predicates:
            yield word
        elif word.end - word.start == 1:
            yield word._replace(word="t")
            yield word._replace(word="es")
        else:
            yield word._replace(word="t", end=word.start + 1)
            yield word._replace(word="es", start=word.start + 1)


DEFAULT_EXPANDER: Final = CliticExpander()


def _whole(word: Token, following: Token | None, previous: str, folded: str) -> Token:
    """The whole form of a clitic that is one letter before a consonant, and "vais" after "je"."""
    text = word.word
    gap = folded[word.end : following.start] if following else ""
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
