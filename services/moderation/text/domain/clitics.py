"""French clitics in standard spelling, with any apostrophe or none: "j'te", "jte", "chuis", "t un".

Before a vowel a clitic has one letter ("t egorger"), before a consonant its full form ("te tuer"),
as in standard French; the lists are matched with `elide`. One pass with one word of lookahead.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from services.moderation.text.domain.letter_spacing import Token

_VOWELS: Final = frozenset("aeiouy")
# The letter of an elided clitic, and its full form.
_FULL_FORMS: Final = {
    "j": "je", "t": "te", "m": "me", "s": "se", "l": "le", "d": "de", "n": "ne", "c": "ce",
    "qu": "que",
}  # fmt: skip
# Two words in one: where the first ends, and both in standard spelling.
_CONTRACTIONS: Final = {
    "jt": (1, "je", "te"), "jv": (1, "je", "vais"), "chui": (1, "je", "suis"),
    "chuis": (1, "je", "suis"), "shui": (1, "je", "suis"), "shuis": (1, "je", "suis"),
    "jsui": (1, "je", "suis"), "jvai": (1, "je", "vais"), "jve": (1, "je", "vais"),
    "jveu": (1, "je", "veux"), "tvas": (1, "tu", "vas"), "tva": (1, "tu", "vas"),
    "sfait": (1, "se", "fait"), "sfaire": (1, "se", "faire"), "mfait": (1, "me", "fait"),
    "mfont": (1, "me", "font"), "mdit": (1, "me", "dit"), "mdisent": (1, "me", "disent"),
    "jmfais": (1, "je", "mfais"), "mfais": (1, "me", "fais"),
}  # fmt: skip
# The French words that begin with j and a consonant.
_WORDS_IN_J: Final = frozenset("jpeg json jpop jquery jdid jsp jpp jdr".split())
_MIN_HIDING_LETTERS: Final = 3
# A contraction starts with one of these, and has two letters at least.
_MIN_CONTRACTION_LETTERS: Final = 2
_CONTRACTION_INITIALS: Final = frozenset("jtmsl") | {text[0] for text in _CONTRACTIONS}
_OBJECTS: Final = frozenset("te t vous le la".split())
_FORMS_OF_ALLER: Final = frozenset("vais va vont".split())
_SPELLINGS_OF_VAIS: Final = frozenset("vai ve vas vait vay".split())
_PHONETIC_SPELLINGS: Final = {"twa": "toi", "toa": "toi", "toua": "toi"}
# Right after the second person, SMS leaves out "es": "t un", "t trop".
_AFTER_COPULA: Final = frozenset("un une qu trop vraiment tellement juste grave rien".split())
_BEFORE_DE: Final = frozenset("fils fille traite traiter traitee traites bande espece tete".split())
_SECOND_PERSON: Final = frozenset(("t", "te", "tes"))
# The words that `_full_form` may change.
_MAY_CHANGE: Final = frozenset((*_FULL_FORMS, *_SPELLINGS_OF_VAIS, "est", "2"))
_ELIDED: Final = re.compile(r"\b(je|me|te|se|le|la|de|ne|que|ce|tu) (?=[aeiouyh])")


@dataclass(frozen=True, slots=True)
class CliticExpander:
    """Writes clitics in standard spelling, also in front of a listed word without an apostrophe.

    `elidable`: words that the lists put after "te" ("egorger"); `predicates`: words that they put
    after "t es" ("moche"); `infinitives`: verbs after "te", also spelt "je vais te tué".
    """

    elidable: frozenset[str] = frozenset()
    predicates: frozenset[str] = _AFTER_COPULA
    infinitives: frozenset[str] = frozenset()

    def expand(self, tokens: Iterable[Token], folded: str) -> list[Token]:
        """Return the tokens in standard spelling; `folded` is the text they were cut from."""
        parts: list[Token] = []
        for token in tokens:
            if self._may_contract(token):
                parts += self._split_contraction(token)
            else:
                parts.append(token)
        expanded: list[Token] = []
        second_last, previous = "", ""
        for index, part in enumerate(parts, 1):
            following = parts[index] if index < len(parts) else None
            token = (
                _full_form(part, following, previous, folded) if part.word in _MAY_CHANGE else part
            )
            if (
                previous in _OBJECTS
                and second_last in _FORMS_OF_ALLER
                and f"{token.word}r" in self.infinitives
            ):
                token = token._replace(word=f"{token.word}r")
            if token.word in _SECOND_PERSON:
                for word in self._with_copula(token, following):
                    expanded.append(word)
                    second_last, previous = previous, word.word
            else:
                expanded.append(token)
                second_last, previous = previous, token.word
        return expanded

    def _may_contract(self, token: Token) -> bool:
        """Return False for the many tokens that `_split_contraction` would return unchanged."""
        text = token.word
        if len(text) < _MIN_CONTRACTION_LETTERS or token.disguised:
            return False
        return text[0] in _CONTRACTION_INITIALS or text in _PHONETIC_SPELLINGS

    def _split_contraction(self, word: Token) -> Iterator[Token]:
        text = _PHONETIC_SPELLINGS.get(word.word, word.word)
        if word.disguised:
            yield word
        elif text in _CONTRACTIONS and word.end - word.start > 1:
            cut, first, second = _CONTRACTIONS[text]
            yield word._replace(word=first, end=word.start + cut)
            yield from self._split_contraction(word._replace(word=second, start=word.start + cut))
        elif self._hides_clitic(text) and word.end - word.start == len(text):
            yield word._replace(word=text[0], end=word.start + 1)
            yield from self._split_contraction(word._replace(word=text[1:], start=word.start + 1))
        else:
            yield word if text == word.word else word._replace(word=text)

    def _hides_clitic(self, text: str) -> bool:
        if len(text) < _MIN_HIDING_LETTERS:
            return False
        if text[0] == "j" and text[1] not in _VOWELS and text[1] != "h":
            return text not in _WORDS_IN_J and not _VOWELS.isdisjoint(text)
        remainder = text[1:]
        return text[0] in "tmsl" and (remainder in self.elidable or remainder in self.infinitives)

    def _with_copula(self, word: Token, following: Token | None) -> Iterator[Token]:
        """Add the "es" that SMS spelling omits after a second person ("t moche", "tes une")."""
        next_word = following.word if following else ""
        if next_word not in self.predicates:
            yield word
        elif word.end - word.start == 1:
            yield word._replace(word="t")
            yield word._replace(word="es")
        else:
            yield word._replace(word="t", end=word.start + 1)
            yield word._replace(word="es", start=word.start + 1)


DEFAULT_EXPANDER: Final = CliticExpander()


def _full_form(word: Token, following: Token | None, previous: str, folded: str) -> Token:
    """Return the full form of a one-letter clitic before a consonant, and "vais" after "je"."""
    text = word.word
    gap = folded[word.end : following.start] if following else ""
    if text in _SPELLINGS_OF_VAIS and previous in ("je", "j"):
        text = "vais"
    elif text == "est" and previous in ("tu", "t"):
        text = "es"
    elif text == "2" and previous in _BEFORE_DE:
        text = "de"
    elif text in _FULL_FORMS and following and _is_full_before(text, gap, following.word):
        text = _FULL_FORMS[text]
    # Most words are unchanged: copying them took a third of the time of an analysis.
    return word if text == word.word else word._replace(word=text)


def _is_full_before(clitic: str, gap: str, following: str) -> bool:
    if not following[0].isalpha() or following[0] in _VOWELS or following[0] == "h":
        return False
    # "t con" leaves out "es"; "t faire" leaves out the "e" of "te".
    infinitive = clitic == "t" and following.endswith(("er", "ir", "re"))
    return gap in ("", "'") or (gap == " " and (clitic == "j" or infinitive))


def elide(form: str) -> str:
    """Return the form with elisions: "te egorger" becomes "t egorger", "tu es" also "t es"."""
    return _ELIDED.sub(lambda match: f"{_letter(match[1])} ", form)


def _letter(clitic: str) -> str:
    return "qu" if clitic == "que" else clitic[0]
