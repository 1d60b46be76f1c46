"""Where reported speech opens: a verb or a noun whose words are not the author's.

Decided from the six words before it and the few after it; see `reporting`.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from services.moderation.text.domain import speech_verbs as verbs
from services.moderation.text.domain.normalisation import SENTENCE_BREAK

MAX_WORDS_BEFORE_VERB: Final = 6
_INFINITIVE: Final = ("er", "re", "ir")
_COLON: Final = frozenset(":«“„\u2039")
_INVERTED: Final = frozenset("il elle on ils elles".split())


class ReportOpening(NamedTuple):
    """A verb that reports: the words before it that belong to it start at `first`.

    `written`: its words stand before it ("sale pute écrit sur mon casier").
    """

    first: int
    verb: int
    is_naming_verb: bool
    targets_victim: bool
    is_after_words: bool = False


def find_report_opening(
    words: Sequence[str], gaps: Sequence[str], index: int
) -> ReportOpening | None:
    """The report that the verb or noun at `index` opens, if its words are somebody else's."""
    word = words[index]
    low = index
    while (
        low > max(0, index - MAX_WORDS_BEFORE_VERB)
        and words[low - 1] != SENTENCE_BREAK
        and "," not in gaps[low]
    ):
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
        return ReportOpening(
            index, index, is_naming_verb=False, targets_victim=True, is_after_words=True
        )
    colon = not _COLON.isdisjoint("".join(gaps[index + 1 : index + 2]))
    return _passive(word, before, index, low) or _active(words, index, low, colon=colon)


def _received(
    words: Sequence[str], gaps: Sequence[str], index: int, low: int
) -> ReportOpening | None:
    if words[index] in ("lu", "lis") and _COLON.isdisjoint("".join(gaps[index + 1 : index + 7])):
        return None
    return ReportOpening(low, index, is_naming_verb=False, targets_victim=True)


def _held(words: Sequence[str], gaps: Sequence[str], index: int, low: int) -> ReportOpening | None:
    """Open a report at "un message : …", "mon surnom, c'est …", "un mot dans mon sac : …"."""
    following = words[index + 1 : index + 3]
    if verbs.is_own_place(following) and not verbs.COMING.isdisjoint(words[low:index]):
        for last in range(index + 3, min(index + 6, len(words) - 1)):
            if not _COLON.isdisjoint(gaps[last + 1]):
                return ReportOpening(low, last, is_naming_verb=False, targets_victim=True)
    signs = "".join(gaps[index + 1 : index + 2])
    if _COLON.isdisjoint(signs) and not (following and following[0] in verbs.RUNNING):
        return None
    if verbs.OWNED.isdisjoint(words[low:index]):
        return None
    return ReportOpening(low, index, is_naming_verb=False, targets_victim=True)


def _passive(word: str, before: Sequence[str], index: int, low: int) -> ReportOpening | None:
    """Open a report at "se fait traiter de …", "est traitée de …"."""
    naming = word in verbs.NAMING
    close = before[-3:]
    made = not verbs.MAKING.isdisjoint(close) and not verbs.REFLEXIVE.isdisjoint(before)
    participle = naming and word.endswith(("e", "ee", "es", "ees"))
    been = participle and not verbs.BEING.isdisjoint(before[-2:])
    if not made and not been:
        return None
    return ReportOpening(low, index, naming, targets_victim=not {"tu", "te"} & set(before))


def _active(words: Sequence[str], index: int, low: int, *, colon: bool) -> ReportOpening | None:
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
        return (
            None
            if subject in verbs.FIRST
            else ReportOpening(first, index, naming, targets_victim=True)
        )
    if clitic in verbs.TO_YOU or clitic in verbs.TO_OTHERS:
        if not _is_theirs(word, subject, words[low:at]) or (
            clitic in verbs.TO_YOU and subject in verbs.SECOND
        ):
            return None
        if word in verbs.LOOSE and clitic in verbs.OBJECTS and not (colon or naming):
            return None
        return ReportOpening(first, index, naming, targets_victim=clitic in verbs.TO_OTHERS)
    loose = word in verbs.LOOSE and not colon and clitic not in verbs.TO_SELF
    loose = loose and not _marks(words, index)
    if loose and not verbs.THAT & set(words[index + 1 : index + 5]):
        return None
    return _without_recipient(words, index, low, clitic)


def _marks(words: Sequence[str], index: int) -> bool:
    """Tell of "(ils) ont tagué … sur mon casier": words put on a thing, all in one sentence."""
    following = words[index + 1 : index + 7]
    if SENTENCE_BREAK in following:
        following = following[: following.index(SENTENCE_BREAK)]
    marking = words[index] in verbs.MARKED and words[index - 1] in verbs.HAVING
    return marking and verbs.is_marked_thing(following)


def _is_theirs(word: str, subject: str, before: Sequence[str]) -> bool:
    """Somebody else speaks: not "je te dis", not "je veux te dire"."""
    if subject in verbs.FIRST:
        return False
    if word.endswith(_INFINITIVE) and word not in verbs.FINITE_IN_RE:
        return verbs.AUTHOR_ACTS.isdisjoint(before) and not verbs.THIRD.isdisjoint(before)
    return bool(before)


def _without_recipient(
    words: Sequence[str], index: int, low: int, subject: str
) -> ReportOpening | None:
    """Open a report at "elles disent …", "ma voisine crie …", "il ne faut pas dire …"."""
    word, before = words[index], words[low:index]
    naming = word in verbs.NAMING
    following = words[index + 1 : index + 5]
    first = max(low, index - 2)
    if subject in verbs.TO_SELF and naming and not verbs.GROUPS.isdisjoint(before):
        return ReportOpening(first, index, naming, targets_victim=True)
    a_work = not verbs.WRITTEN_ABOUT.isdisjoint(following[:1]) and verbs.THAT.isdisjoint(following)
    written = word.startswith("ecri") and a_work
    if written or subject in verbs.FIRST or subject in verbs.TO_SELF:
        return None
    if subject in verbs.SECOND:
        about_me = not verbs.ABOUT_ME.isdisjoint(following)
        return ReportOpening(first, index, naming, targets_victim=True) if about_me else None
    if word.endswith(_INFINITIVE) and word not in verbs.FINITE_IN_RE:
        return _infinitive(words, index, low)
    if subject in verbs.THIRD or _has_noun_subject(word, before, following):
        rumour = subject in ("on", "monde") or bool(verbs.THAT & set(following[:1]))
        to_hearer = rumour and not verbs.YOURSELF.isdisjoint(following)
        return ReportOpening(first, index, naming, targets_victim=not to_hearer)
    return None


def _infinitive(words: Sequence[str], index: int, low: int) -> ReportOpening | None:
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
    return ReportOpening(max(low, index - 2), index, naming, suffered)


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


def _english(words: Sequence[str], index: int, before: Sequence[str]) -> ReportOpening | None:
    word = words[index]
    previous = before[-1] if before else ""
    following = words[index + 1] if index + 1 < len(words) else ""
    naming = word.startswith("call")
    first = max(0, index - 1)
    if verbs.FIRST & set(before[-2:]) and previous not in verbs.BEING:
        return None
    if following in ("me", "us", "my", "everyone", "everybody"):
        return ReportOpening(first, index, naming, targets_victim=True)
    if previous in verbs.BEING and word in ("called", "told"):
        return ReportOpening(first, index, naming, targets_victim=True)
    if before and (following in ("him", "her", "them") or previous in verbs.THIRD):
        about_you = not verbs.YOURSELF.isdisjoint(words[index + 1 : index + 4])
        return ReportOpening(first, index, naming, targets_victim=not about_you)
    return None
