"""Reported speech: which words of a text somebody else said, to whom, and where that ends.

A verb of reporting opens a *report* when its subject is not the author, or when its words reach the
author or a third person: "il m'a dit …", "je me fais traiter de …", "ma fille est traitée de …",
"des élèves crient …", "j'ai reçu : …". "Je te dis que …" opens none. The report runs to the end of
the sentence, or to where the hearer is spoken to ("…, et toi t'es …"), so it is no loophole. A
report may also follow its words: "…, voilà ce qu'elle m'écrit".

One pass: every word is looked at by a window of six words before it, and by one report after it.
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

_LONGEST_WORDS: Final = 60
_LINKING_WORDS: Final = 12
_PARTING: Final = frozenset(',:—–»”"’-')
_TO_YOU: Final = frozenset("te t vous".split())


class ReportedSpan(NamedTuple):
    """Words [start, stop) that somebody else said.

    `suffered`: they were said to or about the author or a third person, who may need help; not
    so for a rumour about the hearer ("on dit que tu …").
    """

    start: int
    stop: int
    targets_victim: bool


class ReportedSpeech:
    """The reports of a text: `words` in order, and before each the `gaps` of signs and blanks."""

    def __init__(self, words: Sequence[str], gaps: Sequence[str]) -> None:
        self._words = words
        self._gaps = gaps
        self._said: set[int] = set()
        self._suffered: set[int] = set()
        self._verbs: set[int] = set()
        for report in self._reports():
            self._said.update(range(report.start, report.stop))
            if report.targets_victim:
                self._suffered.update(range(report.start, report.stop))

    def covers(self, words: range) -> bool:
        """Return whether somebody else said all of these words."""
        return self._said.issuperset(words)

    def continues_after(self, word: int) -> bool:
        """Return whether what follows this word directly was said by somebody else."""
        return word in self._said or word in self._verbs

    def targets_victim(self, words: range) -> bool:
        """Return whether the author or a third person had to hear these words."""
        return not self._suffered.isdisjoint(words)

    def _reports(self) -> Iterator[ReportedSpan]:
        for index, word in enumerate(self._words):
            if word not in verbs.REPORTING:
                continue
            opening = find_report_opening(self._words, self._gaps, index)
            if opening is None:
                continue
            stop = self._stop(opening)
            self._verbs.add(index)
            if opening.targets_victim:
                self._suffered.add(index)
            yield ReportedSpan(index + 1, stop, opening.targets_victim)
            if before := self._words_before(opening, stop):
                yield ReportedSpan(before.start, before.stop, opening.targets_victim)

    def _stop(self, opening: ReportOpening) -> int:
        """Where the words said end: at the sentence's end, or where the hearer is spoken to."""
        words, start = self._words, opening.verb + 1
        if start < len(words) and words[start] == SENTENCE_BREAK and ":" in self._gaps[start]:
            start += 1
        head = words[start : start + 3]
        indirect = any(
            word in verbs.THAT and following not in verbs.YOURSELF
            for word, following in pairwise(head)
        )
        end = min(len(words), start + _LONGEST_WORDS)
        for index in range(start, end):
            word = words[index]
            if word == SENTENCE_BREAK:
                return index
            if index == start:
                continue
            if (opening.is_naming_verb or indirect) and word in verbs.SPOKEN_TO:
                return index
            if (
                word in ("moi", "je")
                and words[index - 1] == "et"
                and _TO_YOU.intersection(words[index + 1 : index + 3])
            ):
                return index
            if word == "toi" and (
                words[index - 1] in verbs.CONTRAST
                or words[index + 1 : index + 2] in (["t"], ["tu"])
            ):
                return index
        return end

    def _words_before(self, opening: ReportOpening, stop: int) -> range | None:
        """The words before a report that tells of them: "…, voilà ce qu'il m'a dit"."""
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
        last, linked, parted = opening.first, False, False
        while last > max(0, opening.first - _LINKING_WORDS):
            parted = parted or not _PARTING.isdisjoint(self._gaps[last])
            if words[last - 1] in verbs.LINKING:
                linked = True
            elif words[last - 1] != SENTENCE_BREAK or not linked:
                break
            last -= 1
            if words[last] == SENTENCE_BREAK:
                parted = True
                break
        if not parted or not last:
            return None
        first = last
        while first > max(0, last - _LONGEST_WORDS) and words[first - 1] != SENTENCE_BREAK:
            first -= 1
        return range(first, last)
