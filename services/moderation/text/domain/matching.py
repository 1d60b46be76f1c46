"""Which entries of the lists a text holds: one pass over it, whatever the length of the lists."""

import re
from collections.abc import Iterable

import ahocorasick
import msgspec

from services.moderation.text.domain.clitics import DEFAULT_EXPANDER, CliticExpander, elide
from services.moderation.text.domain.folding import FoldingTable
from services.moderation.text.domain.lexicon import LexiconEntry
from services.moderation.text.domain.normalisation import NormalisedText, Normaliser
from services.moderation.text.domain.phrases import PhrasePattern
from services.moderation.text.domain.vocabulary import Vocabulary

# A phrase of this length written without spaces ("tagueule", a hashtag) is no other word.
_SHORTEST_JOINED = 8
# Shorter words ("te aime") are parts of ordinary ones.
_AFTER_TE = re.compile(r"\bte ([aeiouy]\w{4,})")
_VERB_AFTER_TE = re.compile(r"\b(?:te|vous) (\w{2,}er)\b")
_AFTER_ES = re.compile(r"\b(?:t|tu) es (\w+) $")


class Match(msgspec.Struct, frozen=True, gc=False):
    """An entry found; its words are `words` of the normalised text."""

    entry: LexiconEntry
    words: range


class LexiconMatcher:
    """All lists in one automaton, and the normaliser that reads texts as the lists are read."""

    def __init__(self, entries: Iterable[LexiconEntry], folding: FoldingTable) -> None:
        plain = Normaliser(folding, Vocabulary())
        forms: dict[str, list[LexiconEntry]] = {}
        self._phrases: list[tuple[LexiconEntry, PhrasePattern]] = []
        for entry in entries:
            if entry.phrases:
                self._phrases.append((entry, PhrasePattern(entry.phrases, folding)))
                continue
            folded = plain.normalise(entry.form).text
            for written in dict.fromkeys((folded, elide(folded))):
                forms.setdefault(written, []).append(entry)
            joined = folded.replace(" ", "")
            if entry.category and len(joined) >= _SHORTEST_JOINED:
                forms.setdefault(f" {joined} ", []).append(entry)
        self._automaton = ahocorasick.Automaton()
        for folded, found in forms.items():
            self._automaton.add_word(folded, (len(folded), tuple(dict.fromkeys(found))))
        self._automaton.make_automaton()
        words = {word for folded in forms for word in folded.split()}
        self.normaliser = Normaliser(folding, Vocabulary(words), _clitics(forms))

    def find(self, normalised: NormalisedText, language: str) -> tuple[Match, ...]:
        """The longest matches in order: a word inside a listed phrase is told by the phrase.

        `language` is the text's; entries that are ordinary words elsewhere need it to be theirs.
        """
        found = [
            Match(entry, normalised.words_at(end - length + 2, end))
            for end, (length, entries) in self._occurrences(normalised.text)
            for entry in entries
            if not entry.only_here or entry.language == language
        ]
        found += [
            Match(entry, normalised.words_at(occurrence.start, occurrence.end))
            for entry, phrases in self._phrases
            for occurrence in phrases.find(normalised.text)
        ]
        found.sort(
            key=lambda match: (
                -len(match.words),
                # As long as an innocent phrase is not long enough.
                match.entry.category is not None,
                match.words.start,
                -match.entry.weight,
            )
        )
        kept: list[Match] = []
        is_matched = bytearray(len(normalised.words))
        for match in found:
            start, stop = match.words.start, match.words.stop
            if is_matched.find(1, start, stop) < 0:
                is_matched[start:stop] = b"\1" * (stop - start)
                kept.append(match)
        return tuple(
            sorted((match for match in kept if match.entry.category), key=lambda m: m.words.start)
        )

    def _occurrences(self, text: str) -> Iterable[tuple[int, tuple[int, tuple[LexiconEntry, ...]]]]:
        # Trap: an automaton without words raises when it is asked.
        return self._automaton.iter(text) if len(self._automaton) else ()


def _clitics(forms: Iterable[str]) -> CliticExpander:
    """What the lists teach about clitics: the words they put after "te" and after "t es"."""
    elidable: set[str] = set()
    predicates: set[str] = set()
    for form in forms:
        elidable.update(_AFTER_TE.findall(form))
        predicates.update(_AFTER_ES.findall(form))
    infinitives = {word for form in forms for word in _VERB_AFTER_TE.findall(form)}
    return CliticExpander(
        frozenset(elidable),
        DEFAULT_EXPANDER.predicates | predicates,
        frozenset(infinitives),
    )
