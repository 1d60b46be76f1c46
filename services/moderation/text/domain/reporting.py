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
from services.moderation.text.domain.normalising import BREAK

_BACK_WORDS: Final = 6
_LONGEST_WORDS: Final = 60
_LINKING_WORDS: Final = 12
_THAT: Final = frozenset("que qu ke quelle quil kil that".split())
_INFINITIVE: Final = ("er", "re", "ir")
_COLON: Final = frozenset(":«“„\u2039")
_PARTING: Final = frozenset(',:—–»”"’-')
_TO_YOU: Final = frozenset("te t vous".split())
_INVERTED: Final = frozenset("il elle on ils elles".split())


class Report(NamedTuple):
    """Words [start, stop) that somebody else said.

    `suffered`: they were said to or about the author or a third person, who may need help; not
    so for a rumour about the hearer ("on dit que tu …").
    """

    start: int
    stop: int
    suffered: bool


class _Opening(NamedTuple):
    """A verb that reports: the words before it that belong to it start at `first`.

    `written`: its words stand before it ("sale pute écrit sur mon casier").
    """

    first: int
    verb: int
    naming: bool
    suffered: bool
    written: bool = False


class Reports:
    """The reports of a text: `words` in order, and before each the `gaps` of signs and blanks."""

    def __init__(self, words: Sequence[str], gaps: Sequence[str]) -> None:
        self._words = words
        self._gaps = gaps
        self._said: set[int] = set()
        self._suffered: set[int] = set()
        self._verbs: set[int] = set()
        for report in self._reports():
            self._said.update(range(report.start, report.stop))
            if report.suffered:
                self._suffered.update(range(report.start, report.stop))

    def holds(self, words: range) -> bool:
        """Tell whether somebody else said all of these words."""
        return self._said.issuperset(words)

    def reaches(self, word: int) -> bool:
        """Tell whether what follows this word directly was said by somebody else."""
        return word in self._said or word in self._verbs

    def suffered(self, words: range) -> bool:
        """Tell whether the author or a third person had to hear these words."""
        return not self._suffered.isdisjoint(words)

    def _reports(self) -> Iterator[Report]:
        for index, word in enumerate(self._words):
            if word not in verbs.REPORTING:
                continue
            opening = find_opening(self._words, self._gaps, index)
            if opening is None:
                continue
            stop = self._stop(opening)
            self._verbs.add(index)
            if opening.suffered:
                self._suffered.add(index)
            yield Report(index + 1, stop, opening.suffered)
            if before := self._words_before(opening, stop):
                yield Report(before.start, before.stop, opening.suffered)

    def _stop(self, opening: _Opening) -> int:
        """Where the words said end: at the sentence's end, or where the hearer is spoken to."""
        words, start = self._words, opening.verb + 1
        if start < len(words) and words[start] == BREAK and ":" in self._gaps[start]:
            start += 1
        head = words[start : start + 3]
        indirect = any(
            word in _THAT and following not in verbs.YOURSELF for word, following in pairwise(head)
        )
        end = min(len(words), start + _LONGEST_WORDS)
        for index in range(start, end):
            word = words[index]
            if word == BREAK:
                return index
            if index == start:
                continue
            if (opening.naming or indirect) and word in verbs.SPOKEN_TO:
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

    def _words_before(self, opening: _Opening, stop: int) -> range | None:
        """The words before a report that tells of them: "…, voilà ce qu'il m'a dit"."""
        words = self._words
        start = opening.verb + 1
        if opening.written:
            first = opening.verb
            while first > max(0, opening.verb - _BACK_WORDS) and words[first - 1] != BREAK:
                first -= 1
            return range(first, opening.verb)
        if start < stop and words[start] not in verbs.CIRCUMSTANCES:
            return None
        last, linked, parted = opening.first, False, False
        while last > max(0, opening.first - _LINKING_WORDS):
            parted = parted or not _PARTING.isdisjoint(self._gaps[last])
            if words[last - 1] in verbs.LINKING:
                linked = True
            elif words[last - 1] != BREAK or not linked:
                break
            last -= 1
            if words[last] == BREAK:
                parted = True
                break
        if not parted or not last:
            return None
        first = last
        while first > max(0, last - _LONGEST_WORDS) and words[first - 1] != BREAK:
            first -= 1
        return range(first, last)


def find_opening(words: Sequence[str], gaps: Sequence[str], index: int) -> _Opening | None:
    """The report that the verb or noun at `index` opens, if its words are somebody else's."""
    word = words[index]
    low = index
    while low > max(0, index - _BACK_WORDS) and words[low - 1] != BREAK and "," not in gaps[low]:
        low -= 1
    before = words[low:index]
    if word in verbs.ENGLISH and (opening := _english(words, index, before)):
        return opening
    if word in verbs.RECEIVING or (word in verbs.SUFFERING and {"me", "suis"} <= set(before)):
        return _received(words, gaps, index, low)
    if word in verbs.HOLDING:
        return _held(words, gaps, index, low)
    if word in verbs.NEEDED and verbs.NEEDED[word] not in words[index + 1 : index + 4]:
        return None
    if word in verbs.MARKED and verbs.is_own_place(words[index + 1 : index + 3]):
        return _Opening(index, index, naming=False, suffered=True, written=True)
    colon = not _COLON.isdisjoint("".join(gaps[index + 1 : index + 2]))
    return _passive(word, before, index, low) or _active(words, index, low, colon=colon)


def _received(words: Sequence[str], gaps: Sequence[str], index: int, low: int) -> _Opening | None:
    if words[index] in ("lu", "lis") and _COLON.isdisjoint("".join(gaps[index + 1 : index + 7])):
        return None
    return _Opening(low, index, naming=False, suffered=True)


def _held(words: Sequence[str], gaps: Sequence[str], index: int, low: int) -> _Opening | None:
    """Open a report at "un message : …" or "mon surnom, c'est …"."""
    following = words[index + 1 : index + 3]
    signs = "".join(gaps[index + 1 : index + 2])
    if _COLON.isdisjoint(signs) and not (following and following[0] in verbs.RUNNING):
        return None
    if verbs.OWNED.isdisjoint(words[low:index]):
        return None
    return _Opening(low, index, naming=False, suffered=True)


def _passive(word: str, before: Sequence[str], index: int, low: int) -> _Opening | None:
    """Open a report at "se fait traiter de …", "est traitée de …"."""
    naming = word in verbs.NAMING
    close = before[-3:]
    made = not verbs.MAKING.isdisjoint(close) and not verbs.REFLEXIVE.isdisjoint(before)
    participle = naming and word.endswith(("e", "ee", "es", "ees"))
    been = participle and not verbs.BEING.isdisjoint(before[-2:])
    if not made and not been:
        return None
    return _Opening(low, index, naming, suffered=not {"tu", "te"} & set(before))


def _active(words: Sequence[str], index: int, low: int, *, colon: bool) -> _Opening | None:
    """Open a report at "il m'a dit …", "tu m'as traitée de …", "des élèves crient …"."""
    word = words[index]
    naming = word in verbs.NAMING
    at = index - 1
    if at > low and words[at] in _INVERTED and words[at - 1] in ("t", *verbs.HAVING):
        at -= 1 + (words[at - 1] == "t")
    while at >= low and words[at] in verbs.BETWEEN:
        at -= 1
    clitic = words[at] if at >= low else ""
    subject_at = at - 1
    while subject_at >= low and words[subject_at] in ("ne", "n"):
        subject_at -= 1
    subject = words[subject_at] if subject_at >= low else ""
    first = max(low, subject_at)
    if clitic in verbs.TO_ME or (clitic in verbs.TO_ME_JOINED and at == index - 1):
        return None if subject in verbs.FIRST else _Opening(first, index, naming, suffered=True)
    if clitic in verbs.TO_YOU or clitic in verbs.TO_OTHERS:
        if not _is_theirs(word, subject, words[low:at]) or (
            clitic in verbs.TO_YOU and subject in verbs.SECOND
        ):
            return None
        if word in verbs.LOOSE and clitic in verbs.OBJECTS and not (colon or naming):
            return None
        return _Opening(first, index, naming, suffered=clitic in verbs.TO_OTHERS)
    loose = word in verbs.LOOSE and not colon and clitic not in verbs.TO_SELF
    if loose and not _THAT & set(words[index + 1 : index + 5]):
        return None
    return _without_recipient(words, index, low, clitic)


def _is_theirs(word: str, subject: str, before: Sequence[str]) -> bool:
    """Somebody else speaks: not "je te dis", not "je veux te dire"."""
    if subject in verbs.FIRST:
        return False
    if word.endswith(_INFINITIVE) and word not in verbs.FINITE_IN_RE:
        return verbs.AUTHOR_ACTS.isdisjoint(before) and not verbs.THIRD.isdisjoint(before)
    return bool(before)


def _without_recipient(words: Sequence[str], index: int, low: int, subject: str) -> _Opening | None:
    """Open a report at "elles disent …", "ma voisine crie …", "il ne faut pas dire …"."""
    word, before = words[index], words[low:index]
    naming = word in verbs.NAMING
    following = words[index + 1 : index + 5]
    first = max(low, index - 2)
    if subject in verbs.TO_SELF and naming and not verbs.GROUPS.isdisjoint(before):
        return _Opening(first, index, naming, suffered=True)
    a_work = not verbs.WRITTEN_ABOUT.isdisjoint(following[:1]) and _THAT.isdisjoint(following)
    written = word.startswith("ecri") and a_work
    if written or subject in verbs.FIRST or subject in verbs.TO_SELF:
        return None
    if subject in verbs.SECOND:
        about_me = not verbs.ABOUT_ME.isdisjoint(following)
        return _Opening(first, index, naming, suffered=True) if about_me else None
    if word.endswith(_INFINITIVE) and word not in verbs.FINITE_IN_RE:
        return _infinitive(words, index, low)
    if subject in verbs.THIRD or _has_noun_subject(word, before, following):
        rumour = subject in ("on", "monde") or bool(_THAT & set(following[:1]))
        to_hearer = rumour and not verbs.YOURSELF.isdisjoint(following)
        return _Opening(first, index, naming, suffered=not to_hearer)
    return None


def _infinitive(words: Sequence[str], index: int, low: int) -> _Opening | None:
    """Open a report at "dire … est un délit", "il n'arrête pas de dire que je suis …"."""
    naming = words[index] in verbs.NAMING
    before, following = words[low:index], words[index + 1 : index + 5]
    plain = naming or verbs.NO_WORDS_SAID.isdisjoint(following[:1])
    spoken_about = plain and (
        verbs.AUTHOR_ACTS.isdisjoint(before) or not verbs.NEVER.isdisjoint(before)
    )
    suffered = not verbs.ABOUT_ME.isdisjoint(following) and not verbs.THIRD.isdisjoint(before)
    if not spoken_about and not suffered:
        return None
    return _Opening(max(low, index - 2), index, naming, suffered)


def _has_noun_subject(word: str, before: Sequence[str], following: Sequence[str]) -> bool:
    if not before or word in ("dis", "dites"):
        return False
    if word in verbs.NAMING and {"de", "d"} & set(following):
        return True
    return (
        word.endswith("ent")
        or before[-1] in verbs.HAVING
        or not verbs.DETERMINERS.isdisjoint(before[-4:])
    )


def _english(words: Sequence[str], index: int, before: Sequence[str]) -> _Opening | None:
    word = words[index]
    previous = before[-1] if before else ""
    following = words[index + 1] if index + 1 < len(words) else ""
    naming = word.startswith("call")
    first = max(0, index - 1)
    if verbs.FIRST & set(before[-2:]) and previous not in verbs.BEING:
        return None
    if following in ("me", "us", "my", "everyone", "everybody"):
        return _Opening(first, index, naming, suffered=True)
    if previous in verbs.BEING and word in ("called", "told"):
        return _Opening(first, index, naming, suffered=True)
    if before and (following in ("him", "her", "them") or previous in verbs.THIRD):
        about_you = not verbs.YOURSELF.isdisjoint(words[index + 1 : index + 4])
        return _Opening(first, index, naming, suffered=not about_you)
    return None
