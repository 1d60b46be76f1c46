"""Normalisation: from a text as typed to words in standard spelling, each with its original span.

Steps: fold characters (width, style, case, accents, look-alikes, invisible ones) → split into
tokens → join spaced letters → undo leet, stars and repeated letters → expand clitics. The result is
`" tu es un con . "`: words between single spaces, a full stop where the sentence breaks, so that a
phrase is matched across "va   te-faire" but never across two sentences.
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
# Disjoint classes in sequence: linear time on any input. An ellipsis is no sentence break.
_TOKEN = re.compile(r"[@$]{0,3}[^\W_]+(?:[@$!*]+[^\W_]+)*|(?<!\.)\.(?!\.)|[!?;()\[\]{}]|\n+")
_PART = re.compile(r"[^\W_]+")
_LEET = re.compile("[" + "".join(LEET_LETTERS) + "]")
_LEET_INSIDE = re.compile(rf"(?<=[a-z]){_LEET.pattern}+(?=[a-z])")


class Word(msgspec.Struct, frozen=True, gc=False):
    """A normalised word; `disguised` when leet, spaced or foreign letters were undone."""

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
        offset = 0
        for word in self.words:
            offset += len(word.text) + 1
            ends.append(offset)
        return ends

    def separators(self, text: str) -> list[str]:
        """Return the punctuation and blanks of the original `text` before each word."""
        ends = [0, *(word.span.end for word in self.words)]
        return [text[end : word.span.start] for end, word in zip(ends, self.words, strict=False)]

    def words_at(self, start: int, end: int) -> range:
        """Return the words that [start, end) of `text` touches, without the spaces around them."""
        first = bisect_right(self._ends, start)
        last = bisect_left(self._ends, end)
        if last < len(self.words) and self._ends[last] - len(self.words[last].text) < end:
            last += 1
        return range(first, max(first, last))

    def original_span(self, start: int, end: int) -> Span | None:
        """Return the original span of [start, end) of `text`, extended to whole words."""
        touched = self.words_at(start, end)
        if not touched:
            return None
        return Span(self.words[touched[0]].span.start, self.words[touched[-1]].span.end)


@dataclass(frozen=True, slots=True)
class Normaliser:
    """Normalises texts with one folding table and one vocabulary."""

    folding: FoldingTable
    vocabulary: Vocabulary
    clitics: CliticExpander = DEFAULT_EXPANDER

    def normalise(self, text: str, hidden: Sequence[Span] = ()) -> NormalisedText:
        """Return the words of a text; `hidden` spans (links, addresses) are sentence breaks."""
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
                    tokens += self._normalise_token(text, start, end)
                is_after_break = False
            elif not is_after_break:
                tokens.append(Token(SENTENCE_BREAK, start, end))
                is_after_break = True
        if run:
            tokens += (run, *runs)
        return tokens

    def _normalise_token(self, token: str, start: int, end: int) -> Iterator[Token]:
        """Yield the normalised token, or its parts where symbols joined two words."""
        if token.isalpha():
            if REPEATED_LETTER.search(token):
                token = self.vocabulary.recover(token) or REPEATED_LETTER.sub(r"\1", token)
            yield Token(token, start, end)
        elif "*" in token and (word := self.vocabulary.uncensor(token)):
            yield Token(word, start, end)
        elif not token.isdigit() and (word := self.vocabulary.recover(token)):
            yield Token(word, start, end, disguised=True)
        elif token.isalnum():
            inside = _LEET_INSIDE.sub(lambda match: decode_leet(match.group()), token)
            yield Token(REPEATED_LETTER.sub(r"\1", inside), start, end, disguised=inside != token)
        else:
            for part in _PART.finditer(token):
                yield from self._normalise_token(
                    part.group(), start + part.start(), start + part.end()
                )


def _flags(text: str, characters: Collection[str]) -> bytes:
    """Return 1 for each character of a text that is one of these, else 0; empty when none is."""
    flags = bytes(map(characters.__contains__, text)) if characters else b""
    return flags if 1 in flags else b""
