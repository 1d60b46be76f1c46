"""A text read: everything found in it, each finding with its place in the original."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from services.moderation.text.domain.folding import Folding, well_formed
from services.moderation.text.domain.language import guess_language
from services.moderation.text.domain.lexicon import Entry
from services.moderation.text.domain.links import Link, find_links
from services.moderation.text.domain.matching import Lexicons
from services.moderation.text.domain.normalising import BREAK, Normalised
from services.moderation.text.domain.personal import Personal, PersonalData
from services.moderation.text.domain.quoting import quoted_spans
from services.moderation.text.domain.senses import Sense
from services.moderation.text.domain.shouting import capitals_share
from services.moderation.text.domain.signs import Signs, flag_spans
from services.moderation.text.domain.spans import Cover
from services.moderation.text.domain.usage import Hit, Usage

# Without a hint and in doubt: the platform's first language.
FIRST_LANGUAGE = "fr"
NO_SENSES: Mapping[str, Sense] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Reading:
    """What a text says; spans are in `text`, which is as long as what was handed in."""

    text: str
    language: str
    normalised: Normalised
    hits: tuple[Hit, ...]
    personal: tuple[Personal, ...]
    links: tuple[Link, ...]
    capitals: float

    @property
    def words(self) -> int:
        return sum(word.text != BREAK for word in self.normalised.words)


class Reader:
    """Reads texts with the lists it was built from; build one, use it for all, from any thread."""

    def __init__(
        self,
        entries: Iterable[Entry],
        folding: Folding,
        senses: Mapping[str, Sense] = NO_SENSES,
        signs: Signs | None = None,
    ) -> None:
        self._senses = senses
        self._signs = signs
        self._lexicons = Lexicons(entries, folding)
        self._personal = PersonalData()

    def read(self, text: str, *, language_hint: str | None = None) -> Reading:
        """`text` is plain or Markdown; `language_hint` ("fr", "en") decides when it is unclear."""
        text = well_formed(text)
        links = find_links(text)
        personal = self._personal.find(text)
        unsaid = [
            *flag_spans(text),
            *(link.span for link in links),
            *(found.span for found in personal),
        ]
        normalised = self._lexicons.normaliser.normalise(text, unsaid)
        guess = guess_language(word.text for word in normalised.words)
        language = guess or language_hint or FIRST_LANGUAGE
        quotes = quoted_spans(text)
        private = Cover(found.span for found in personal)
        return Reading(
            text=text,
            language=language,
            normalised=normalised,
            hits=self._hits(text, normalised, language),
            personal=personal,
            links=tuple(link for link in links if not private.holds(link.span)),
            capitals=capitals_share(text, [*quotes, *unsaid]),
        )

    def _hits(self, text: str, normalised: Normalised, language: str) -> tuple[Hit, ...]:
        matches = self._lexicons.find(normalised, language)
        signs = tuple(self._signs.find(text, normalised)) if self._signs else ()
        if not matches and not signs:
            return ()
        usage = Usage(text, normalised, self._senses)
        hits = [hit for match in matches if (hit := usage.hit(match))]
        return tuple(sorted((*hits, *map(usage.sign_hit, signs)), key=lambda hit: hit.span))


__all__ = ["FIRST_LANGUAGE", "NO_SENSES", "Hit", "Reader", "Reading"]
