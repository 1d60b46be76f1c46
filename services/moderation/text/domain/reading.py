"""A text read: everything found in it, each finding with its place in the original."""

from collections.abc import Iterable
from dataclasses import dataclass

from services.moderation.text.domain.folding import Folding, well_formed
from services.moderation.text.domain.language import guess_language
from services.moderation.text.domain.lexicon import Category, Entry
from services.moderation.text.domain.links import Link, find_links
from services.moderation.text.domain.matching import Lexicons, Match
from services.moderation.text.domain.mention import is_aimed, is_mentioned
from services.moderation.text.domain.normalising import BREAK, Normalised
from services.moderation.text.domain.personal import Personal, PersonalData
from services.moderation.text.domain.quoting import quoted_spans
from services.moderation.text.domain.shouting import capitals_share
from services.moderation.text.domain.spans import Cover, Span

# Without a hint and in doubt: the platform's first language.
FIRST_LANGUAGE = "fr"


@dataclass(frozen=True, slots=True)
class Hit:
    """A listed word found: where, what for, how sure, and how it was said.

    `mentioned`: quoted or spoken about, not used. `aimed`: said to somebody. `disguised`: readable
    only after undoing leet, spaced or foreign letters.
    """

    form: str
    category: Category
    weight: float
    span: Span
    mentioned: bool
    aimed: bool
    disguised: bool


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

    def __init__(self, entries: Iterable[Entry], folding: Folding) -> None:
        self._lexicons = Lexicons(entries, folding)
        self._personal = PersonalData()

    def read(self, text: str, *, language_hint: str | None = None) -> Reading:
        """`text` is plain or Markdown; `language_hint` ("fr", "en") decides when it is unclear."""
        text = well_formed(text)
        links = find_links(text)
        personal = self._personal.find(text)
        unsaid = [*(link.span for link in links), *(found.span for found in personal)]
        normalised = self._lexicons.normaliser.normalise(text, unsaid)
        guess = guess_language(word.text for word in normalised.words)
        language = guess or language_hint or FIRST_LANGUAGE
        quotes = quoted_spans(text)
        quoted, private = Cover(quotes), Cover(found.span for found in personal)
        return Reading(
            text=text,
            language=language,
            normalised=normalised,
            hits=tuple(
                _hit(match, normalised, quoted)
                for match in self._lexicons.find(normalised, language)
            ),
            personal=personal,
            links=tuple(link for link in links if not private.holds(link.span)),
            capitals=capitals_share(text, [*quotes, *unsaid]),
        )


def _hit(match: Match, normalised: Normalised, quoted: Cover) -> Hit:
    words = normalised.words[match.words.start : match.words.stop]
    span = Span(words[0].span.start, words[-1].span.end)
    category = match.entry.category
    assert category is not None, "ordinary phrases are no hits"  # noqa: S101  narrows the type
    return Hit(
        form=" ".join(word.text for word in words) if match.entry.phrases else match.entry.form,
        category=category,
        weight=match.entry.weight,
        span=span,
        mentioned=quoted.holds(span) or is_mentioned(normalised, match.words),
        aimed=is_aimed(normalised, match.words),
        disguised=any(word.disguised for word in words),
    )
