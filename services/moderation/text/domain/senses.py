"""Where a listed word has its ordinary sense: an animal, a lesson, an abbreviation, a game.

A sense holds in a sentence with one of its cues ("broute", "roman") and none of the phrases that
aim at a person ("toi", "espèce"). Each sense is looked for once in a text, when a word asks.
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
    """Phrases that tell an ordinary sense, and those that rule it out."""

    cues: PhrasePattern
    counter_cues: PhrasePattern


def parse_senses(file: str, source: str, folding: FoldingTable) -> dict[str, OrdinarySense]:
    """Read senses by name. Raises `SensesRefused` naming the file."""
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
    except (tomllib.TOMLDecodeError, KeyError) as wrong:
        raise SensesRefused(f"{file}: {wrong}") from wrong


class SenseDetector:
    """The senses of one text, sentence by sentence."""

    def __init__(self, senses: Mapping[str, OrdinarySense], normalised: NormalisedText) -> None:
        self._senses = senses
        self._normalised = normalised
        self._sentences: list[int] = []
        self._cued: dict[str, tuple[set[int], set[int]]] = {}

    def detects_any(self, names: Iterable[str], words: range, *, nearby: bool = False) -> bool:
        """Return whether one of the senses holds in the sentence of `words`.

        `nearby`: the cue may stand in the sentence before or after.
        """
        return any(self._holds(name, words, nearby=nearby) for name in names)

    def _holds(self, name: str, words: range, *, nearby: bool) -> bool:
        if name not in self._senses:
            return False
        cued, against = self._of(name)
        if not cued:
            return False
        sentence = self._sentence(words.start)
        if sentence in against:
            return False
        around = range(sentence - 1, sentence + 2) if nearby else (sentence,)
        return not cued.isdisjoint(around)

    def _of(self, name: str) -> tuple[set[int], set[int]]:
        if name not in self._cued:
            sense = self._senses[name]
            self._cued[name] = (self._found(sense.cues), self._found(sense.counter_cues))
        return self._cued[name]

    def _found(self, phrases: PhrasePattern) -> set[int]:
        return {
            self._sentence(self._normalised.words_at(start, end).start)
            for start, end in phrases.find(self._normalised.text)
        }

    def _sentence(self, word: int) -> int:
        if not self._sentences:
            sentence = 0
            for each in self._normalised.words:
                sentence += each.text == SENTENCE_BREAK
                self._sentences.append(sentence)
        return self._sentences[word]
