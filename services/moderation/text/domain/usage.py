"""How a listed word is used: said, quoted, told, spoken about, or in an ordinary sense."""

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
_SOFTENED: Final = 0.6
_STRONG: Final = 0.8
_ABBREVIATION: Final = "abbreviation"
_TAKING_OBJECTS: Final = frozenset("planter demonter crever cogner fumer".split())
_ARTICLES: Final = frozenset("un une le la les l des du mon ma mes ce cette ces".split())
_HURT: Final = frozenset(
    "gueule tete face tronche bouche dents nez yeux oeil crane jambes jambe bras ventre mere race "
    "pif cul machoire genou genoux couteau schlass lame cutter balle coup couilles cheveux doigts "
    "main mains dos cou gorge coeur os levre oreille oreilles surin pneus".split()
)
_OF_LESSONS: Final = frozenset({"insult", "slur", "sexual"})
# What a character says in a novel threatens nobody here.
_OF_STORIES: Final = frozenset({"threat", "harassment"})
_TO_HEARER: Final = frozenset("t te tu ta ton tes toi vos vous moi mes you your".split())
_TITLES: Final = frozenset(
    "m mr mme mlle monsieur madame mademoiselle dr docteur pr maitre famille professeur rue avenue "
    "village commune hameau riviere mrs ms".split()
)
_is_disguised = attrgetter("disguised")


class Hit(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A listed word found: where, what for, how sure, and how it was said.

    `mentioned`: quoted, reported or spoken about, not used. `told`: the author or a third
    person had to hear it, and may need help. `aimed`: said to somebody; `to_hearer`: said with
    a "you" beside it. `disguised`: readable only after undoing leet, spaced or foreign letters.
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
    """Judges the matches of one text."""

    def __init__(
        self, text: str, normalised: NormalisedText, senses: Mapping[str, OrdinarySense]
    ) -> None:
        self._text = text
        self._normalised = normalised
        self._words = normalised.word_texts
        self._senses = SenseDetector(senses, normalised)
        self._gaps = normalised.separators(text)
        self._quoted = SpanSet(find_quotations(text))
        self._mentions = MentionDetector(self._words)
        self._reports = ReportedSpeech(self._words, self._gaps)

    def classify(self, match: Match) -> Hit | None:
        """Return the finding, or `None` when the words have an ordinary sense here."""
        entry, words = match.entry, match.words
        assert entry.category is not None, "ordinary phrases are no hits"  # noqa: S101  narrows
        lesson, named = self._is_in_lesson(match), self._is_name(words)
        mild = entry.weight < _STRONG
        if self._is_ordinary(match) or (mild and named):
            return None
        if mild and lesson and self._senses.detects_any((LESSON,), words):
            return None
        own = self._normalised.words[words.start : words.stop]
        span = Span(own[0].span.start, own[-1].span.end)
        soft = lesson or named or self._is_parted(words)
        mentioned = self._is_mentioned(span, words)
        if mentioned and entry.category in _OF_STORIES and self._is_story(words):
            return None
        return Hit(
            form=" ".join(word.text for word in own) if entry.phrases else entry.form,
            category=entry.category,
            weight=min(entry.weight, _SOFTENED) if soft else entry.weight,
            span=span,
            mentioned=mentioned,
            targets_victim=self._is_told(words),
            aimed=not soft and self._mentions.is_aimed(words),
            to_hearer=self._mentions.is_to_hearer(words),
            disguised=any(map(_is_disguised, own)),
        )

    def _is_ordinary(self, match: Match) -> bool:
        """The words have another sense here, or give no order, or threaten a thing."""
        entry, words = match.entry, match.words
        return (
            (entry.imperative and not opens_clause(self._words, self._gaps, words.start))
            or (bool(entry.senses) and self._senses.detects_any(entry.senses, words))
            or self._is_symbol(match)
            or (entry.category == "threat" and self._has_harmless_object(words))
        )

    def _is_mentioned(self, span: Span, words: range) -> bool:
        return (
            self._quoted.covers(span)
            or self._mentions.is_metalinguistic(words)
            or self._reports.covers(words)
        )

    def _is_story(self, words: range) -> bool:
        """A sentence about a work in which the author has no part."""
        return self._senses.detects_any((LESSON,), words) and not self._mentions.has_author(words)

    def classify_emoji(self, sign: EmojiMatch) -> Hit:
        """Return the finding of a run of signs; it is told like the words before it."""
        before = range(sign.word_before, sign.word_before + 1)
        told = sign.word_before >= 0 and self._reports.continues_after(sign.word_before)
        return Hit(
            form=sign.span.of(self._text),
            category=sign.category,
            weight=sign.weight,
            span=sign.span,
            mentioned=told or self._quoted.covers(sign.span),
            targets_victim=told and self._reports.targets_victim(before),
            aimed=sign.aimed,
            to_hearer=sign.aimed,
            disguised=False,
        )

    def _is_parted(self, words: range) -> bool:
        """A comma stands inside: "le linge sale, blanc ou noir"."""
        return len(words) > 1 and any("," in self._gaps[index] for index in words[1:])

    def _is_symbol(self, match: Match) -> bool:
        """A symbol with its value, or an article that no insult takes ("PD = 3 V", "la FDP")."""
        if _ABBREVIATION not in match.entry.senses:
            return False
        words = match.words
        after = self._gaps[words.stop] if words.stop < len(self._gaps) else ""
        return self._words[words.start - 1 : words.start] == ["la"] or "=" in after

    def _has_harmless_object(self, words: range) -> bool:
        """What is planted or taken apart is a thing: "te planter un arbre"."""
        verb, following = self._words[words.stop - 1], self._words[words.stop : words.stop + 3]
        if verb not in _TAKING_OBJECTS or not following or following[0] not in _ARTICLES:
            return False
        return _HURT.isdisjoint(following)

    def _is_in_lesson(self, match: Match) -> bool:
        """A word of no hearer, in or beside a sentence about a work, a law or a language."""
        return (
            match.entry.category in _OF_LESSONS
            and self._senses.detects_any((LESSON,), match.words, nearby=True)
            and _TO_HEARER.isdisjoint(self._words[match.words.start : match.words.stop])
        )

    def _is_told(self, words: range) -> bool:
        if not self._reports.targets_victim(words):
            return False
        if not self._senses.detects_any((LESSON,), words):
            return True
        return self._mentions.has_author(words)

    def _is_name(self, words: range) -> bool:
        """A capital after a title: "M. Connard", "la famille Salope"."""
        title = words.start - 1
        if title > 0 and self._words[title] == SENTENCE_BREAK:
            title -= 1
        if title < 0 or self._words[title] not in _TITLES:
            return False
        start = self._normalised.words[words.start].span.start
        return self._text[start : start + 2].istitle()
