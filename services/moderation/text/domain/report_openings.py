"""Openings of reported speech: the verbs and nouns that introduce another person's words.

Each is recognised by the six words before it and the few after it; see `reported_speech`.
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
    """A verb that introduces reported speech.

    `first`: index of the first word that belongs to it, such as its subject; `verb`: index of the
    verb. `targets_victim`: the words are said to or about the author or a third person.
    `is_after_words`: they precede the verb ("sale pute écrit sur mon casier").
    """

    first: int
    verb: int
    is_naming_verb: bool
    targets_victim: bool
    is_after_words: bool = False


def find_report_opening(
    words: Sequence[str], gaps: Sequence[str], index: int
) -> ReportOpening | None:
    """Return the opening at the verb or noun `index`, or None if the words are the author's own."""
    word = words[index]
    start = index
    while (
        start > max(0, index - MAX_WORDS_BEFORE_VERB)
        and words[start - 1] != SENTENCE_BREAK
        and "," not in gaps[start]
    ):
        start -= 1
    preceding = words[start:index]
    if word in verbs.ENGLISH_VERBS and (opening := _english(words, index, preceding)):
        return opening
    if word in verbs.RECEIVING_VERBS or (
        word in verbs.SUFFERING_VERBS and {"me", "suis"} <= set(preceding)
    ):
        return _received_message(words, gaps, index, start)
    if word in verbs.MESSAGE_NOUNS:
        return _message_noun(words, gaps, index, start)
    if (
        word in verbs.REQUIRED_COMPLEMENT
        and verbs.REQUIRED_COMPLEMENT[word] not in words[index + 1 : index + 4]
    ):
        return None
    if word in verbs.INSCRIBING_VERBS and verbs.is_own_place(words[index + 1 : index + 3]):
        return ReportOpening(
            index, index, is_naming_verb=False, targets_victim=True, is_after_words=True
        )
    is_before_colon = not _COLON.isdisjoint("".join(gaps[index + 1 : index + 2]))
    return _passive(word, preceding, index, start) or _active(
        words, index, start, is_before_colon=is_before_colon
    )


def _received_message(
    words: Sequence[str], gaps: Sequence[str], index: int, start: int
) -> ReportOpening | None:
    if words[index] in ("lu", "lis") and _COLON.isdisjoint("".join(gaps[index + 1 : index + 7])):
        return None
    return ReportOpening(start, index, is_naming_verb=False, targets_victim=True)


def _message_noun(
    words: Sequence[str], gaps: Sequence[str], index: int, start: int
) -> ReportOpening | None:
    """Open a report at "un message : …", "mon surnom, c'est …", "un mot dans mon sac : …"."""
    following = words[index + 1 : index + 3]
    if verbs.is_own_place(following) and not verbs.RECEIVED_PARTICIPLES.isdisjoint(
        words[start:index]
    ):
        for last in range(index + 3, min(index + 6, len(words) - 1)):
            if not _COLON.isdisjoint(gaps[last + 1]):
                return ReportOpening(start, last, is_naming_verb=False, targets_victim=True)
    signs = "".join(gaps[index + 1 : index + 2])
    if _COLON.isdisjoint(signs) and not (following and following[0] in verbs.MESSAGE_INTRODUCERS):
        return None
    if verbs.RECIPIENT_MARKERS.isdisjoint(words[start:index]):
        return None
    return ReportOpening(start, index, is_naming_verb=False, targets_victim=True)


def _passive(word: str, preceding: Sequence[str], index: int, start: int) -> ReportOpening | None:
    """Open a report at "se fait traiter de …", "est traitée de …"."""
    is_naming_verb = word in verbs.NAMING_VERBS
    closest = preceding[-3:]
    is_causative = not verbs.MAKE_FORMS.isdisjoint(
        closest
    ) and not verbs.REFLEXIVE_PRONOUNS.isdisjoint(preceding)
    is_participle = is_naming_verb and word.endswith(("e", "ee", "es", "ees"))
    is_passive = is_participle and not verbs.BE_FORMS.isdisjoint(preceding[-2:])
    if not is_causative and not is_passive:
        return None
    return ReportOpening(
        start, index, is_naming_verb, targets_victim=not {"tu", "te"} & set(preceding)
    )


def _active(
    words: Sequence[str], index: int, start: int, *, is_before_colon: bool
) -> ReportOpening | None:
    """Open a report at "il m'a dit …", "tu m'as traitée de …", "des élèves crient …"."""
    word = words[index]
    is_naming_verb = word in verbs.NAMING_VERBS
    position, clitic, subject_position, subject = _find_subject(words, index, start)
    first = max(start, subject_position)
    if clitic in verbs.FIRST_PERSON_CLITICS or (
        clitic in verbs.JOINED_CLITICS and position == index - 1
    ):
        opening = ReportOpening(first, index, is_naming_verb, targets_victim=True)
        return None if subject in verbs.FIRST_PERSON else opening
    if clitic in verbs.SECOND_PERSON_CLITICS or clitic in verbs.THIRD_PERSON_CLITICS:
        if not _is_other_speaker(word, subject, words[start:position]) or (
            clitic in verbs.SECOND_PERSON_CLITICS and subject in verbs.SECOND_PERSON
        ):
            return None
        if (
            word in verbs.AMBIGUOUS_VERBS
            and clitic in verbs.OBJECT_CLITICS
            and not (is_before_colon or is_naming_verb)
        ):
            return None
        return ReportOpening(
            first, index, is_naming_verb, targets_victim=clitic in verbs.THIRD_PERSON_CLITICS
        )
    is_ambiguous = (
        word in verbs.AMBIGUOUS_VERBS
        and not is_before_colon
        and clitic not in verbs.REFLEXIVE_CLITICS
    )
    is_ambiguous = is_ambiguous and not _is_inscription(words, index)
    if is_ambiguous and not verbs.SUBORDINATORS & set(words[index + 1 : index + 5]):
        return None
    return _without_recipient(words, index, start, clitic)


def _find_subject(words: Sequence[str], index: int, start: int) -> tuple[int, str, int, str]:
    """Return the position of the word before the verb, that word, and its subject likewise."""
    position = index - 1
    if (
        position > start
        and words[position] in _INVERTED
        and words[position - 1] in ("t", *verbs.HAVE_FORMS)
    ):
        position -= 1 + (words[position - 1] == "t")
    while position >= start and words[position] in verbs.PREVERBAL_WORDS:
        position -= 1
    clitic = words[position] if position >= start else ""
    subject_position = position - 1
    while subject_position >= start and words[subject_position] in ("ne", "n"):
        subject_position -= 1
    subject = words[subject_position] if subject_position >= start else ""
    return position, clitic, subject_position, subject


def _is_inscription(words: Sequence[str], index: int) -> bool:
    """Return whether words are put on a thing: "(ils) ont tagué … sur mon casier"."""
    following = words[index + 1 : index + 7]
    if SENTENCE_BREAK in following:
        following = following[: following.index(SENTENCE_BREAK)]
    is_inscribing = words[index] in verbs.INSCRIBING_VERBS and words[index - 1] in verbs.HAVE_FORMS
    return is_inscribing and verbs.is_marked_thing(following)


def _is_other_speaker(word: str, subject: str, preceding: Sequence[str]) -> bool:
    """Return whether another person speaks: not "je te dis", not "je veux te dire"."""
    if subject in verbs.FIRST_PERSON:
        return False
    if word.endswith(_INFINITIVE) and word not in verbs.FINITE_IN_RE:
        return verbs.AUTHOR_SUBJECTS.isdisjoint(preceding) and not verbs.THIRD_PERSON.isdisjoint(
            preceding
        )
    return bool(preceding)


def _without_recipient(
    words: Sequence[str], index: int, start: int, subject: str
) -> ReportOpening | None:
    """Open a report at "elles disent …", "ma voisine crie …", "il ne faut pas dire …"."""
    word, preceding = words[index], words[start:index]
    is_naming_verb = word in verbs.NAMING_VERBS
    following = words[index + 1 : index + 5]
    first = max(start, index - 2)
    if (
        subject in verbs.REFLEXIVE_CLITICS
        and is_naming_verb
        and not verbs.NAMED_THINGS.isdisjoint(preceding)
    ):
        return ReportOpening(first, index, is_naming_verb, targets_victim=True)
    introduces_work = not verbs.WORK_MARKERS.isdisjoint(
        following[:1]
    ) and verbs.SUBORDINATORS.isdisjoint(following)
    introduces_written_work = word.startswith("ecri") and introduces_work
    if (
        introduces_written_work
        or subject in verbs.FIRST_PERSON
        or subject in verbs.REFLEXIVE_CLITICS
    ):
        return None
    if subject in verbs.SECOND_PERSON:
        is_about_author = not verbs.FIRST_PERSON_WORDS.isdisjoint(following)
        return (
            ReportOpening(first, index, is_naming_verb, targets_victim=True)
            if is_about_author
            else None
        )
    if word.endswith(_INFINITIVE) and word not in verbs.FINITE_IN_RE:
        return _infinitive(words, index, start)
    if subject in verbs.THIRD_PERSON or _has_noun_subject(word, preceding, following):
        is_rumour = subject in ("on", "monde") or bool(verbs.SUBORDINATORS & set(following[:1]))
        to_hearer = is_rumour and not verbs.SECOND_PERSON_WORDS.isdisjoint(following)
        return ReportOpening(first, index, is_naming_verb, targets_victim=not to_hearer)
    return None


def _infinitive(words: Sequence[str], index: int, start: int) -> ReportOpening | None:
    """Open a report at "dire … est un délit", "il n'arrête pas de dire que je suis …"."""
    is_naming_verb = words[index] in verbs.NAMING_VERBS
    preceding, following = words[start:index], words[index + 1 : index + 5]
    reports_speech = is_naming_verb or verbs.NON_SPEECH_OBJECTS.isdisjoint(following[:1])
    is_spoken_about = reports_speech and (
        verbs.AUTHOR_SUBJECTS.isdisjoint(preceding) or not verbs.NEGATIONS.isdisjoint(preceding)
    )
    targets_victim = not verbs.FIRST_PERSON_WORDS.isdisjoint(
        following
    ) and not verbs.THIRD_PERSON.isdisjoint(preceding)
    if not is_spoken_about and not targets_victim:
        return None
    return ReportOpening(max(start, index - 2), index, is_naming_verb, targets_victim)


def _has_noun_subject(word: str, preceding: Sequence[str], following: Sequence[str]) -> bool:
    if not preceding or word in ("dis", "dites"):
        return False
    if word in verbs.NAMING_VERBS and {"de", "d"} & set(following):
        return True
    return (
        word.endswith("ent")
        or preceding[-1] in verbs.HAVE_FORMS
        or not verbs.DETERMINERS.isdisjoint(preceding[-4:])
    )


def _english(words: Sequence[str], index: int, preceding: Sequence[str]) -> ReportOpening | None:
    word = words[index]
    previous = preceding[-1] if preceding else ""
    following = words[index + 1] if index + 1 < len(words) else ""
    is_naming_verb = word.startswith("call")
    first = max(0, index - 1)
    if verbs.FIRST_PERSON & set(preceding[-2:]) and previous not in verbs.BE_FORMS:
        return None
    if following in ("me", "us", "my", "everyone", "everybody"):
        return ReportOpening(first, index, is_naming_verb, targets_victim=True)
    if previous in verbs.BE_FORMS and word in ("called", "told"):
        return ReportOpening(first, index, is_naming_verb, targets_victim=True)
    if preceding and (following in ("him", "her", "them") or previous in verbs.THIRD_PERSON):
        is_about_hearer = not verbs.SECOND_PERSON_WORDS.isdisjoint(words[index + 1 : index + 4])
        return ReportOpening(first, index, is_naming_verb, targets_victim=not is_about_hearer)
    return None
