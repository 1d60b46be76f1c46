"""Lexicon matching: one pass over a text (Aho-Corasick), independent of the length of the lists."""

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

# A phrase of this length without spaces ("tagueule", a hashtag) is no ordinary word.
_MIN_JOINED_LETTERS = 8
# Shorter words ("te aime") are parts of ordinary ones.
_AFTER_TE = re.compile(r"\bte ([aeiouy]\w{4,})")
_VERB_AFTER_TE = re.compile(r"\b(?:te|vous) (\w{2,}er)\b")
_AFTER_ES = re.compile(r"\b(?:t|tu) es (\w+) $")


class Match(msgspec.Struct, frozen=True, gc=False):
    """A matched entry; `words` are the indices of its words in the normalised text."""

    entry: LexiconEntry
    words: range


class LexiconMatcher:
    """All lists in one automaton, and the normaliser for texts and lists alike."""

    def __init__(self, entries: Iterable[LexiconEntry], folding: FoldingTable) -> None:
        normaliser = Normaliser(folding, Vocabulary())
        forms: dict[str, list[LexiconEntry]] = {}
        self._phrases: list[tuple[LexiconEntry, PhrasePattern]] = []
        for entry in entries:
            if entry.phrases:
                self._phrases.append((entry, PhrasePattern(entry.phrases, folding)))
                continue
            folded = normaliser.normalise(entry.form).text
            for spelling in dict.fromkeys((folded, elide(folded))):
                forms.setdefault(spelling, []).append(entry)
            joined = folded.replace(" ", "")
            if entry.category and len(joined) >= _MIN_JOINED_LETTERS:
                forms.setdefault(f" {joined} ", []).append(entry)
        self._automaton = ahocorasick.Automaton()
        for folded, form_entries in forms.items():
            self._automaton.add_word(folded, (len(folded), tuple(dict.fromkeys(form_entries))))
        self._automaton.make_automaton()
        words = {word for folded in forms for word in folded.split()}
        self.normaliser = Normaliser(folding, Vocabulary(words), _learn_clitics(forms))

    def find(self, normalised: NormalisedText, language: str) -> tuple[Match, ...]:
        """Return the longest matches in order: of overlapping matches the longest phrase wins.

        `language` is that of the text: entries with `only_here` match only in their own language.
        """
        candidates = [
            Match(entry, normalised.words_at(end - length + 2, end))
            for end, (length, entries) in self._occurrences(normalised.text)
            for entry in entries
            if not entry.only_here or entry.language == language
        ]
        candidates += [
            Match(entry, normalised.words_at(occurrence.start, occurrence.end))
            for entry, phrases in self._phrases
            for occurrence in phrases.find(normalised.text)
        ]
        candidates.sort(
            key=lambda match: (
                -len(match.words),
                # Of equal length, the innocent phrase wins.
                match.entry.category is not None,
                match.words.start,
                -match.entry.weight,
            )
        )
        matches: list[Match] = []
        is_matched = bytearray(len(normalised.words))
        for match in candidates:
            start, stop = match.words.start, match.words.stop
            if is_matched.find(1, start, stop) < 0:
                is_matched[start:stop] = b"\1" * (stop - start)
                matches.append(match)
        return tuple(
            sorted(
                (match for match in matches if match.entry.category), key=lambda m: m.words.start
            )
        )

    def _occurrences(self, text: str) -> Iterable[tuple[int, tuple[int, tuple[LexiconEntry, ...]]]]:
        # Trap: `iter` raises on an automaton without words.
        return self._automaton.iter(text) if len(self._automaton) else ()


def _learn_clitics(forms: Iterable[str]) -> CliticExpander:
    """Return an expander with the words that the lists put after "te" and after "t es"."""
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
