"""How a listed word is used: said, quoted, reported, mentioned, or in an ordinary sense."""

from collections.abc import Mapping
from operator import attrgetter
from typing import Final

import msgspec

from services.moderation.text.domain.emoji import EmojiMatch
from services.moderation.text.domain.lexicon import Category
from services.moderation.text.domain.matching import Match
from services.moderation.text.domain.mention import MentionDetector, opens_clause
from services.moderation.text.domain.normalisation import SENTENCE_BREAK, NormalisedText
from services.moderation.text.domain.quotations import find_quotations
from services.moderation.text.domain.reported_speech import ReportedSpeech
from services.moderation.text.domain.senses import LESSON, OrdinarySense, SenseDetector
from services.moderation.text.domain.spans import Span, SpanSet

# In a lesson a strong word is worth a look (review), and never enough to hide.
_MAX_SOFTENED_WEIGHT: Final = 0.6
_MIN_STRONG_WEIGHT: Final = 0.8
_ABBREVIATION: Final = "abbreviation"
_VERBS_WITH_OBJECT: Final = frozenset("planter demonter crever cogner fumer".split())
_ARTICLES: Final = frozenset("un une le la les l des du mon ma mes ce cette ces".split())
_BODY_PARTS: Final = frozenset(
    "gueule tete face tronche bouche dents nez yeux oeil crane jambes jambe bras ventre mere race "
    "pif cul machoire genou genoux couteau schlass lame cutter balle coup couilles cheveux doigts "
    "main mains dos cou gorge coeur os levre oreille oreilles surin pneus".split()
)
_OF_LESSONS: Final = frozenset({"insult", "slur", "sexual"})
# What a character says in a novel threatens nobody here.
_OF_STORIES: Final = frozenset({"threat", "harassment"})
_HEARER_WORDS: Final = frozenset("t te tu ta ton tes toi vos vous moi mes you your".split())
_TITLES: Final = frozenset(
    "m mr mme mlle monsieur madame mademoiselle dr docteur pr maitre famille professeur rue avenue "
    "village commune hameau riviere mrs ms".split()
)
_is_disguised = attrgetter("disguised")


class Hit(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A listed word in the text: its place, category, weight, and how it is used.

    `mentioned`: quoted, reported or spoken about, not used. `targets_victim`: it was said to or
    about the author or a third person, who may need help. `aimed`: said to a person; `to_hearer`:
    with a "you" close by. `disguised`: recognised only after leet, spaced or foreign letters were
    undone.
    """

    form: str
    category: Category
    weight: float
    span: Span
    mentioned: bool
    targets_victim: bool
    aimed: bool
    to_hearer: bool
    disguised: bool


class UsageClassifier:
    """Classifies the use of each match in one text."""

    def __init__(
        self, text: str, normalised: NormalisedText, senses: Mapping[str, OrdinarySense]
    ) -> None:
        self._text = text
        self._normalised = normalised
        self._words = normalised.word_texts
        self._senses = SenseDetector(senses, normalised)
        self._separators = normalised.separators(text)
        self._quotations = SpanSet(find_quotations(text))
        self._mentions = MentionDetector(self._words)
        self._reports = ReportedSpeech(self._words, self._separators)

    def classify(self, match: Match) -> Hit | None:
        """Return the hit of a match, or `None` when its words have an ordinary sense here."""
        entry, words = match.entry, match.words
        assert entry.category is not None, "ordinary phrases are no hits"  # noqa: S101  narrows
        is_in_lesson, is_name = self._is_in_lesson(match), self._is_name(words)
        is_mild = entry.weight < _MIN_STRONG_WEIGHT
        if self._is_ordinary(match) or (is_mild and is_name):
            return None
        if is_mild and is_in_lesson and self._senses.detects_any((LESSON,), words):
            return None
        match_words = self._normalised.words[words.start : words.stop]
        span = Span(match_words[0].span.start, match_words[-1].span.end)
        is_soft = is_in_lesson or is_name or self._has_comma(words)
        is_mentioned = self._is_mentioned(span, words)
        if is_mentioned and entry.category in _OF_STORIES and self._is_story(words):
            return None
        return Hit(
            form=" ".join(word.text for word in match_words) if entry.phrases else entry.form,
            category=entry.category,
            weight=min(entry.weight, _MAX_SOFTENED_WEIGHT) if is_soft else entry.weight,
            span=span,
            mentioned=is_mentioned,
            targets_victim=self._targets_victim(words),
            aimed=not is_soft and self._mentions.is_aimed(words),
            to_hearer=self._mentions.is_to_hearer(words),
            disguised=any(map(_is_disguised, match_words)),
        )

    def _is_ordinary(self, match: Match) -> bool:
        """Return whether the words have another sense, are no imperative, or threaten a thing."""
        entry, words = match.entry, match.words
        return (
            (entry.imperative and not opens_clause(self._words, self._separators, words.start))
            or (bool(entry.senses) and self._senses.detects_any(entry.senses, words))
            or self._is_symbol(match)
            or (entry.category == "threat" and self._has_harmless_object(words))
        )

    def _is_mentioned(self, span: Span, words: range) -> bool:
        return (
            self._quotations.covers(span)
            or self._mentions.is_metalinguistic(words)
            or self._reports.covers(words)
        )

    def _is_story(self, words: range) -> bool:
        """Return whether the sentence is about a work, and does not mention the author."""
        return self._senses.detects_any((LESSON,), words) and not self._mentions.has_author(words)

    def classify_emoji(self, emoji: EmojiMatch) -> Hit:
        """Return the hit of a run of emoji; it is reported if the words before it are."""
        preceding = range(emoji.word_before, emoji.word_before + 1)
        is_reported = emoji.word_before >= 0 and self._reports.continues_after(emoji.word_before)
        return Hit(
            form=emoji.span.of(self._text),
            category=emoji.category,
            weight=emoji.weight,
            span=emoji.span,
            mentioned=is_reported or self._quotations.covers(emoji.span),
            targets_victim=is_reported and self._reports.targets_victim(preceding),
            aimed=emoji.aimed,
            to_hearer=emoji.aimed,
            disguised=False,
        )

    def _has_comma(self, words: range) -> bool:
        """Return whether a comma is inside: "le linge sale, blanc ou noir"."""
        return len(words) > 1 and any("," in self._separators[index] for index in words[1:])

    def _is_symbol(self, match: Match) -> bool:
        """Return whether it is a symbol with a value, or has an article ("PD = 3 V", "la FDP")."""
        if _ABBREVIATION not in match.entry.senses:
            return False
        words = match.words
        next_separator = self._separators[words.stop] if words.stop < len(self._separators) else ""
        return self._words[words.start - 1 : words.start] == ["la"] or "=" in next_separator

    def _has_harmless_object(self, words: range) -> bool:
        """Return whether a thing is planted or taken apart: "te planter un arbre"."""
        verb, following = self._words[words.stop - 1], self._words[words.stop : words.stop + 3]
        if verb not in _VERBS_WITH_OBJECT or not following or following[0] not in _ARTICLES:
            return False
        return _BODY_PARTS.isdisjoint(following)

    def _is_in_lesson(self, match: Match) -> bool:
        """Return whether a sentence about a work, a law or a language is here or next to it."""
        return (
            match.entry.category in _OF_LESSONS
            and self._senses.detects_any((LESSON,), match.words, nearby=True)
            and _HEARER_WORDS.isdisjoint(self._words[match.words.start : match.words.stop])
        )

    def _targets_victim(self, words: range) -> bool:
        if not self._reports.targets_victim(words):
            return False
        if not self._senses.detects_any((LESSON,), words):
            return True
        return self._mentions.has_author(words)

    def _is_name(self, words: range) -> bool:
        """Return whether a title and a capital make it a name: "M. Connard", "famille Salope"."""
        title = words.start - 1
        if title > 0 and self._words[title] == SENTENCE_BREAK:
            title -= 1
        if title < 0 or self._words[title] not in _TITLES:
            return False
        start = self._normalised.words[words.start].span.start
        return self._text[start : start + 2].istitle()
