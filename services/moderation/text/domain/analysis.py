"""Text analysis: all matches in a text, each with its span in the original."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from services.moderation.text.domain.emoji import EmojiLexicon, find_flags
from services.moderation.text.domain.folding import FoldingTable, replace_surrogates
from services.moderation.text.domain.language import guess_language
from services.moderation.text.domain.lexicon import LexiconEntry
from services.moderation.text.domain.links import Link, find_links
from services.moderation.text.domain.matching import LexiconMatcher
from services.moderation.text.domain.normalisation import SENTENCE_BREAK, NormalisedText
from services.moderation.text.domain.personal_data import PersonalDataFinder, PersonalDataMatch
from services.moderation.text.domain.quotations import find_quotations
from services.moderation.text.domain.senses import OrdinarySense
from services.moderation.text.domain.shouting import capitals_share
from services.moderation.text.domain.spans import SpanSet
from services.moderation.text.domain.usage import Hit, UsageClassifier

# Without a hint and in doubt.
DEFAULT_LANGUAGE = "fr"
NO_SENSES: Mapping[str, OrdinarySense] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class TextAnalysis:
    """The matches and measures of a text; spans refer to `text`, as long as the analysed text."""

    text: str
    language: str
    normalised: NormalisedText
    hits: tuple[Hit, ...]
    personal_data: tuple[PersonalDataMatch, ...]
    links: tuple[Link, ...]
    capitals_share: float

    @property
    def word_count(self) -> int:
        return sum(word.text != SENTENCE_BREAK for word in self.normalised.words)


class TextAnalyser:
    """Analyses texts with the lists it was built from; one instance serves all threads."""

    def __init__(
        self,
        entries: Iterable[LexiconEntry],
        folding: FoldingTable,
        senses: Mapping[str, OrdinarySense] = NO_SENSES,
        signs: EmojiLexicon | None = None,
    ) -> None:
        self._senses = senses
        self._signs = signs
        self._lexicons = LexiconMatcher(entries, folding)
        self._personal = PersonalDataFinder()

    def analyse(self, text: str, *, language_hint: str | None = None) -> TextAnalysis:
        """Analyse a plain or Markdown text; `language_hint` ("fr", "en") is used when unclear."""
        text = replace_surrogates(text)
        links = find_links(text)
        personal = self._personal.find(text)
        excluded = [
            *find_flags(text),
            *(link.span for link in links),
            *(match.span for match in personal),
        ]
        normalised = self._lexicons.normaliser.normalise(text, excluded)
        guessed_language = guess_language(normalised.word_texts)
        language = guessed_language or language_hint or DEFAULT_LANGUAGE
        quotes = find_quotations(text)
        personal_spans = SpanSet(match.span for match in personal)
        return TextAnalysis(
            text=text,
            language=language,
            normalised=normalised,
            hits=self._hits(text, normalised, language),
            personal_data=personal,
            links=tuple(link for link in links if not personal_spans.covers(link.span)),
            capitals_share=capitals_share(text, [*quotes, *excluded]),
        )

    def _hits(self, text: str, normalised: NormalisedText, language: str) -> tuple[Hit, ...]:
        matches = self._lexicons.find(normalised, language)
        signs = tuple(self._signs.find(text, normalised)) if self._signs else ()
        if not matches and not signs:
            return ()
        usage = UsageClassifier(text, normalised, self._senses)
        hits = [hit for match in matches if (hit := usage.classify(match))]
        return tuple(sorted((*hits, *map(usage.classify_emoji, signs)), key=lambda hit: hit.span))


__all__ = ["DEFAULT_LANGUAGE", "NO_SENSES", "Hit", "TextAnalyser", "TextAnalysis"]
