"""Every function that reads people's text, made ready on a text: only what is left is timed."""

from collections.abc import Callable
from datetime import date
from functools import cache, lru_cache, partial

from services.identity.members import domain as members
from services.moderation.rules.handlers.engine import RuleEngine
from services.moderation.rules.handlers.open_engine import open_engine
from services.moderation.text.domain import analysis as reading
from services.moderation.text.domain import (
    clitics,
    folding,
    language,
    masking,
    matching,
    phrases,
    shouting,
    spans,
    vocabulary,
)
from services.moderation.text.domain import letter_spacing as spacing
from services.moderation.text.domain import normalisation as normalising
from services.moderation.text.domain import personal_data as personal
from services.moderation.text.domain.spans import Span
from services.moderation.text.handlers.open_analyser import load_folding_table, load_lexicon_entries
from shared.kit.text import html_balancing as balancing
from shared.kit.text import markup as web_markup
from tests.linear.discovery import takes_one_text, text_functions

ENTRY_POINTS = (
    "reading.Reader.read",
    "rules.Engine.judge",
    "masking.masked",
    "markup.text_of_html",
    "markup.text_of_markdown",
    "kit.web.markup.html_of",
    "kit.web.markup.html_of, HTML",
)
"""What calls all of the others: these are measured up to the longest text."""
TimedCall = Callable[[], object]
_KEPT_READINGS = 4
"""The functions are measured pattern by pattern, and several of them take the same reading."""
EXEMPT_FUNCTIONS = {
    "lexicon.expanded": "reads our own lists",
    "phrases.without_classes": "reads our own lists",
    "kit.text.is_time_zone": "looks a name up in a set",
    "spans.Span.of": "a slice",
    "kit.text.is_unseen": "takes one letter",
}
"""Public functions that take a `str` and are not measured under their own name, and why."""


@cache
def engine() -> RuleEngine:
    """Open the engine that the service opens."""
    return open_engine(today=lambda: date(2026, 11, 30))


@cache
def lexicons() -> matching.LexiconMatcher:
    """Open the lists that the service opens."""
    return matching.LexiconMatcher(load_lexicon_entries(), load_folding_table())


@lru_cache(_KEPT_READINGS)
def _normalised(text: str) -> normalising.NormalisedText:
    return lexicons().normaliser.normalise(text)


@lru_cache(_KEPT_READINGS)
def _reading(text: str) -> reading.TextAnalysis:
    return engine().analyse(text)


@cache
def _personal() -> personal.PersonalDataFinder:
    return personal.PersonalDataFinder()


def _vocabulary() -> vocabulary.Vocabulary:
    return lexicons().normaliser.vocabulary


def _by_words(text: str, look: Callable[[str], object]) -> Callable[[], object]:
    words = (text, *text.split())
    return lambda: [look(word) for word in words]


def _marks(text: str) -> tuple[Span, ...]:
    return tuple(Span(start, start + 1) for start in range(0, len(text), 2))


def _spelled(text: str) -> object:
    return list(spacing.join_spaced_letters(text, _vocabulary()))


def _spelled_words(text: str) -> list[spacing.Token]:
    return [
        spacing.Token(word.text, word.span.start, word.span.end, disguised=False)
        for word in _normalised(text).words
    ]


def _clitics(words: list[spacing.Token], text: str) -> object:
    reading = clitics.CliticExpander(frozenset({"egorger", "etrangler"}))
    return list(reading.expand(words, text))


def _phrases(text: str) -> object:
    some = ("(elle|il) .. (a |)(dit|traite) .. de", "je (vais |)te .. (tuer|frapper)")
    return list(phrases.PhrasePattern(some, load_folding_table()).find(text))


def _rebuilt(text: str) -> str:
    try:
        return balancing.balance_html(text)
    except balancing.TooComplexError:
        return ""


def _of_one_text() -> dict[str, Callable[[str], TimedCall]]:
    return {
        name: partial(partial, function)
        for name, function in text_functions().items()
        if takes_one_text(function) and name not in EXEMPT_FUNCTIONS
    }


MEASURED_FUNCTIONS: dict[str, Callable[[str], TimedCall]] = _of_one_text() | {
    "folding.fold": lambda text: partial(folding.fold_text, text, lexicons().normaliser.folding),
    "language.guess_language": lambda text: partial(language.guess_language, text.split()),
    "masking.masked": lambda text: partial(masking.mask_text, _reading(text)),
    "masking.lives_there": lambda text: partial(masking.mentions_home_address, _reading(text)),
    "matching.Lexicons.find": lambda text: partial(lexicons().find, _normalised(text), "fr"),
    "normalising.Normaliser.normalise": lambda text: partial(lexicons().normaliser.normalise, text),
    "normalising.Normalised.gaps": lambda text: partial(_normalised(text).separators, text),
    "personal.PersonalData.find": lambda text: partial(_personal().find, text),
    "phrases.Phrases.find": lambda text: partial(_phrases, _normalised(text).text),
    "reading.Reader.read": lambda text: partial(engine().analyse, text),
    "shouting.capitals_share": lambda text: partial(shouting.capitals_share, text, _marks(text)),
    "spacing.joined_letters": lambda text: partial(_spelled, text.lower()),
    "spans.covered": lambda text: partial(spans.replace_spans, text, _marks(text), by=" "),
    "vocabulary.Vocabulary.recover": lambda text: _by_words(text, _vocabulary().recover),
    "vocabulary.Vocabulary.uncensor": lambda text: _by_words(text, _vocabulary().uncensor),
    # The rules' conditions are CEL over the reading.
    "rules.Engine.judge": lambda text: partial(engine().evaluate, _reading(text)),
    "clitics.Clitics.read": lambda text: partial(_clitics, _spelled_words(text), text),
    "kit.web.markup.html_of, HTML": lambda text: partial(web_markup.render_html, text, "html"),
    # Raises where there is too much of it.
    "kit.web.balancing.rebuild": lambda text: partial(_rebuilt, text),
    "identity.members.words_of": lambda text: partial(members.to_ascii_words, text, "-"),
}
