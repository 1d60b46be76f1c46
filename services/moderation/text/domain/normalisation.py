"""From a text as typed to words as meant, each with its place in the original.

Steps: fold characters (width, style, case, accents, look-alikes, invisible ones) → cut into words
→ join spaced letters → undo leet, stars and repeated letters. The result reads
`" tu es un con . "`: words between single spaces, a full stop where the sentence breaks, so that
a phrase is found across "va   te-faire" but never across two sentences.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import msgspec

from services.moderation.text.domain.clitics import DEFAULT_EXPANDER, CliticExpander
from services.moderation.text.domain.folding import FoldedText, FoldingTable, fold_text
from services.moderation.text.domain.letter_spacing import Token, join_spaced_letters
from services.moderation.text.domain.spans import Span, replace_spans
from services.moderation.text.domain.vocabulary import (
    LEET_LETTERS,
    REPEATED_LETTER,
    Vocabulary,
    decode_leet,
)

SENTENCE_BREAK = "."
# Disjoint classes, one after the other: linear on any input. An ellipsis breaks nothing.
_TOKEN = re.compile(r"[@$]{0,3}[^\W_]+(?:[@$!*]+[^\W_]+)*|(?<!\.)\.(?!\.)|[!?;()\[\]{}]|\n+")
_PART = re.compile(r"[^\W_]+")
_LEET = re.compile("[" + "".join(LEET_LETTERS) + "]")
_LEET_INSIDE = re.compile(rf"(?<=[a-z]){_LEET.pattern}+(?=[a-z])")


class Word(msgspec.Struct, frozen=True, gc=False):
    """A word as meant; `disguised` when it took leet, spaced or foreign letters to read it."""

    text: str
    span: Span
    disguised: bool = False


@dataclass(frozen=True)
class NormalisedText:
    """Words in order, sentence breaks among them; `text` is what lists and rules match."""

    words: tuple[Word, ...]

    @cached_property
    def word_texts(self) -> list[str]:
        return [word.text for word in self.words]

    @cached_property
    def text(self) -> str:
        return " ".join(("", *self.word_texts, ""))

    @cached_property
    def _ends(self) -> list[int]:
        ends: list[int] = []
        at = 0
        for word in self.words:
            at += len(word.text) + 1
            ends.append(at)
        return ends

    def separators(self, text: str) -> list[str]:
        """Return the signs and blanks of the original `text` before each word."""
        ends = [0, *(word.span.end for word in self.words)]
        return [text[end : word.span.start] for end, word in zip(ends, self.words, strict=False)]

    def words_at(self, start: int, end: int) -> range:
        """Which words [start, end) of `text` touches; the spaces around them do not count."""
        first = bisect_right(self._ends, start)
        last = bisect_left(self._ends, end)
        if last < len(self.words) and self._ends[last] - len(self.words[last].text) < end:
            last += 1
        return range(first, max(first, last))

    def original_span(self, start: int, end: int) -> Span | None:
        """[start, end) of `text`, back in the original: whole words, from the first to the last."""
        touched = self.words_at(start, end)
        if not touched:
            return None
        return Span(self.words[touched[0]].span.start, self.words[touched[-1]].span.end)


@dataclass(frozen=True, slots=True)
class Normaliser:
    """Reads texts with one folding table and the words worth recovering."""

    folding: FoldingTable
    vocabulary: Vocabulary
    clitics: CliticExpander = DEFAULT_EXPANDER

    def normalise(self, text: str, hidden: Sequence[Span] = ()) -> NormalisedText:
        """The words of a text; `hidden` spans (links, addresses) count as a break."""
        if hidden:
            text = replace_spans(text, hidden, by="\n")
        folded = fold_text(text, self.folding)
        is_disguise = _flags(text, self.folding.disguising)
        words: list[Word] = []
        previous = ""
        for token, start, end, disguised in self.clitics.expand(self._tokens(folded), folded.text):
            if token == previous == SENTENCE_BREAK:
                continue
            previous = token
            first, stop = folded.original_range(start, end)
            words.append(
                Word(token, Span(first, stop), disguised or is_disguise.find(1, first, stop) >= 0)
            )
        return NormalisedText(tuple(words))

    def _tokens(self, folded: FoldedText) -> list[Token]:
        tokens: list[Token] = []
        runs = join_spaced_letters(folded.text, self.vocabulary)
        run = next(runs, None)
        is_after_break = False
        for match in _TOKEN.finditer(folded.text):
            start, end = match.span()
            while run and run.end <= start:
                tokens.append(run)
                is_after_break = False
                run = next(runs, None)
            if run and run.start < end:
                continue
            text = match.group()
            if text[-1].isalnum():
                # Most tokens: a plain word without repeated letters.
                if text.isalpha() and not REPEATED_LETTER.search(text):
                    tokens.append(Token(text, start, end))
                else:
                    tokens += self._meant(text, start, end)
                is_after_break = False
            elif not is_after_break:
                tokens.append(Token(SENTENCE_BREAK, start, end))
                is_after_break = True
        if run:
            tokens += (run, *runs)
        return tokens

    def _meant(self, token: str, start: int, end: int) -> Iterator[Token]:
        """The token as meant: one word, or its parts where symbols joined what is two words."""
        if token.isalpha():
            if REPEATED_LETTER.search(token):
                token = self.vocabulary.recover(token) or REPEATED_LETTER.sub(r"\1", token)
            yield Token(token, start, end)
        elif "*" in token and (word := self.vocabulary.uncensor(token)):
            yield Token(word, start, end)
        elif not token.isdigit() and (word := self.vocabulary.recover(token)):
            yield Token(word, start, end, disguised=True)
        elif token.isalnum():
            inside = _LEET_INSIDE.sub(lambda found: decode_leet(found.group()), token)
            yield Token(REPEATED_LETTER.sub(r"\1", inside), start, end, disguised=inside != token)
        else:
            for part in _PART.finditer(token):
                yield from self._meant(part.group(), start + part.start(), start + part.end())


def _flags(text: str, characters: Collection[str]) -> bytes:
    """Return 1 for each character of a text that is one of these, else 0; empty when none is."""
    flags = bytes(map(characters.__contains__, text)) if characters else b""
    return flags if 1 in flags else b""
