"""Ordinary senses of listed words: an animal, a lesson, an abbreviation, a game.

A sense applies in a sentence with one of its cues ("broute", "roman") and none of its counter-cues,
which aim at a person ("toi", "espèce"). Each sense is searched at most once in a text, on demand.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from services.moderation.text.domain.folding import FoldingTable
from services.moderation.text.domain.normalisation import SENTENCE_BREAK, NormalisedText
from services.moderation.text.domain.phrases import PhrasePattern

LESSON: Final = "lesson"


class SensesRefused(ValueError):
    """A file of senses that cannot be used, and what to change."""


@dataclass(frozen=True, slots=True)
class OrdinarySense:
    """Phrases that indicate an ordinary sense, and phrases that exclude it."""

    cues: PhrasePattern
    counter_cues: PhrasePattern


def parse_senses(file: str, source: str, folding: FoldingTable) -> dict[str, OrdinarySense]:
    """Parse senses by name. Raises `SensesRefused` with the file."""
    try:
        content = tomllib.loads(source)
        against: Mapping[str, list[str]] = content["against"]
        return {
            table["name"]: OrdinarySense(
                PhrasePattern(table["cues"], folding),
                PhrasePattern(
                    [phrase for name in table["against"] for phrase in against[name]], folding
                ),
            )
            for table in content["sense"]
        }
    except (tomllib.TOMLDecodeError, KeyError) as error:
        raise SensesRefused(f"{file}: {error}") from error


class SenseDetector:
    """The ordinary senses in one text, by sentence."""

    def __init__(self, senses: Mapping[str, OrdinarySense], normalised: NormalisedText) -> None:
        self._senses = senses
        self._normalised = normalised
        self._sentences: list[int] = []
        self._sentences_by_sense: dict[str, tuple[set[int], set[int]]] = {}

    def detects_any(self, names: Iterable[str], words: range, *, nearby: bool = False) -> bool:
        """Return whether one of the senses applies in the sentence of `words`.

        `nearby`: the cue may be in the sentence before or after.
        """
        return any(self._applies(name, words, nearby=nearby) for name in names)

    def _applies(self, name: str, words: range, *, nearby: bool) -> bool:
        if name not in self._senses:
            return False
        cued, against = self._sense_sentences(name)
        if not cued:
            return False
        sentence = self._sentence_of(words.start)
        if sentence in against:
            return False
        around = range(sentence - 1, sentence + 2) if nearby else (sentence,)
        return not cued.isdisjoint(around)

    def _sense_sentences(self, name: str) -> tuple[set[int], set[int]]:
        if name not in self._sentences_by_sense:
            sense = self._senses[name]
            self._sentences_by_sense[name] = (
                self._sentences_with(sense.cues),
                self._sentences_with(sense.counter_cues),
            )
        return self._sentences_by_sense[name]

    def _sentences_with(self, phrases: PhrasePattern) -> set[int]:
        return {
            self._sentence_of(self._normalised.words_at(start, end).start)
            for start, end in phrases.find(self._normalised.text)
        }

    def _sentence_of(self, word: int) -> int:
        if not self._sentences:
            sentence = 0
            for item in self._normalised.words:
                sentence += item.text == SENTENCE_BREAK
                self._sentences.append(sentence)
        return self._sentences[word]
