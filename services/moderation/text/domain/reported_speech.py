"""Reported speech: which words of a text another person said, to which person, and where they end.

A reporting verb opens *reported speech* when its subject is not the author, or when its words are
addressed to the author or a third person: "il m'a dit …", "je me fais traiter de …", "ma fille est
traitée de …", "des élèves crient …", "j'ai reçu : …". "Je te dis que …" does not. It runs to the
end of the sentence, or to the point where the hearer is addressed ("…, et toi t'es …"), so it is no
loophole. It may also precede its verb: "…, voilà ce qu'elle m'écrit".

One pass: each word is examined with the six words before it and one report after it.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from services.moderation.text.domain import speech_verbs as verbs
from services.moderation.text.domain.normalisation import SENTENCE_BREAK
from services.moderation.text.domain.report_openings import (
    MAX_WORDS_BEFORE_VERB,
    ReportOpening,
    find_report_opening,
)

_MAX_REPORTED_WORDS: Final = 60
_MAX_LINKING_WORDS: Final = 12
_SEPARATORS: Final = frozenset(',:—–»”"’-')
_SECOND_PERSON_CLITICS: Final = frozenset("te t vous".split())


class ReportedSpan(NamedTuple):
    """Words [start, stop) that another person said.

    `targets_victim`: they were said to or about the author or a third person, who may need help;
    false for a rumour about the hearer ("on dit que tu …").
    """

    start: int
    stop: int
    targets_victim: bool


class ReportedSpeech:
    """The reports of a text: `words` in order, and before each the `gaps` of signs and blanks."""

    def __init__(self, words: Sequence[str], gaps: Sequence[str]) -> None:
        self._words = words
        self._gaps = gaps
        self._reported_words: set[int] = set()
        self._victim_words: set[int] = set()
        self._verb_indices: set[int] = set()
        for report in self._reports():
            self._reported_words.update(range(report.start, report.stop))
            if report.targets_victim:
                self._victim_words.update(range(report.start, report.stop))

    def covers(self, words: range) -> bool:
        """Return whether another person said all of these words."""
        return self._reported_words.issuperset(words)

    def continues_after(self, word: int) -> bool:
        """Return whether the text directly after this word was said by another person."""
        return word in self._reported_words or word in self._verb_indices

    def targets_victim(self, words: range) -> bool:
        """Return whether any of these words were said to or about the author or a third person."""
        return not self._victim_words.isdisjoint(words)

    def _reports(self) -> Iterator[ReportedSpan]:
        for index, word in enumerate(self._words):
            if word not in verbs.REPORTING_WORDS:
                continue
            opening = find_report_opening(self._words, self._gaps, index)
            if opening is None:
                continue
            stop = self._find_end(opening)
            self._verb_indices.add(index)
            if opening.targets_victim:
                self._victim_words.add(index)
            yield ReportedSpan(index + 1, stop, opening.targets_victim)
            if preceding := self._find_preceding_words(opening, stop):
                yield ReportedSpan(preceding.start, preceding.stop, opening.targets_victim)

    def _find_end(self, opening: ReportOpening) -> int:
        """Return the index where the reported words end: the end of the sentence, or an address."""
        words, start = self._words, opening.verb + 1
        if start < len(words) and words[start] == SENTENCE_BREAK and ":" in self._gaps[start]:
            start += 1
        first_words = words[start : start + 3]
        is_indirect = any(
            word in verbs.SUBORDINATORS and following not in verbs.SECOND_PERSON_WORDS
            for word, following in pairwise(first_words)
        )
        end = min(len(words), start + _MAX_REPORTED_WORDS)
        for index in range(start, end):
            word = words[index]
            if word == SENTENCE_BREAK:
                return index
            if index == start:
                continue
            if (opening.is_naming_verb or is_indirect) and word in verbs.ADDRESS_WORDS:
                return index
            if (
                word in ("moi", "je")
                and words[index - 1] == "et"
                and _SECOND_PERSON_CLITICS.intersection(words[index + 1 : index + 3])
            ):
                return index
            if word == "toi" and (
                words[index - 1] in verbs.CONJUNCTIONS
                or words[index + 1 : index + 2] in (["t"], ["tu"])
            ):
                return index
        return end

    def _find_preceding_words(self, opening: ReportOpening, stop: int) -> range | None:
        """Return the reported words that precede their verb: "…, voilà ce qu'il m'a dit"."""
        words = self._words
        start = opening.verb + 1
        if opening.is_after_words:
            first = opening.verb
            while (
                first > max(0, opening.verb - MAX_WORDS_BEFORE_VERB)
                and words[first - 1] != SENTENCE_BREAK
            ):
                first -= 1
            return range(first, opening.verb)
        if start < stop and words[start] not in verbs.CIRCUMSTANCES:
            return None
        end, is_linked, is_separated = opening.first, False, False
        while end > max(0, opening.first - _MAX_LINKING_WORDS):
            is_separated = is_separated or not _SEPARATORS.isdisjoint(self._gaps[end])
            if words[end - 1] in verbs.LINKING_WORDS:
                is_linked = True
            elif words[end - 1] != SENTENCE_BREAK or not is_linked:
                break
            end -= 1
            if words[end] == SENTENCE_BREAK:
                is_separated = True
                break
        if not is_separated or not end:
            return None
        first = end
        while first > max(0, end - _MAX_REPORTED_WORDS) and words[first - 1] != SENTENCE_BREAK:
            first -= 1
        return range(first, end)
