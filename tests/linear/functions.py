"""The functions that process user texts, prepared on a text so that only the call is timed."""

from collections.abc import Callable
from datetime import date
from functools import cache, lru_cache, partial

from services.identity.members import domain as members
from services.moderation.rules.handlers.engine import RuleEngine
from services.moderation.rules.handlers.open_engine import open_engine
from services.moderation.text.domain import (
    analysis,
    clitics,
    folding,
    language,
    letter_spacing,
    masking,
    matching,
    normalisation,
    personal_data,
    phrases,
    shouting,
    spans,
    vocabulary,
)
from services.moderation.text.domain.spans import Span
from services.moderation.text.handlers.open_analyser import load_folding_table, load_lexicon_entries
from shared.kit.text import html_balancing as balancing
from shared.kit.text import markup as web_markup
from tests.linear.discovery import takes_one_text, text_functions

ENTRY_POINTS = (
    "analysis.TextAnalyser.analyse",
    "rules.RuleEngine.evaluate",
    "masking.mask_text",
    "markup.text_of_html",
    "markup.text_of_markdown",
    "kit.web.markup.render_html",
    "kit.web.markup.render_html, HTML",
)
"""Functions that call all others: measured up to the longest text."""
TimedCall = Callable[[], object]
_MAX_CACHED_ANALYSES = 4
"""The functions are measured pattern by pattern, and several of them take the same reading."""
EXEMPT_FUNCTIONS = {
    "lexicon.expand_choices": "reads our own lists",
    "phrases.expand_classes": "reads our own lists",
    "kit.text.is_time_zone": "looks a name up in a set",
    "spans.Span.of": "a slice",
    "kit.text.is_invisible": "takes one letter",
}
"""Public functions that take a `str` and are not measured under their own name, and why."""


@cache
def engine() -> RuleEngine:
    """Return the engine that the service opens."""
    return open_engine(today=lambda: date(2026, 11, 30))


@cache
def lexicons() -> matching.LexiconMatcher:
    """Return a matcher with the lists that the service opens."""
    return matching.LexiconMatcher(load_lexicon_entries(), load_folding_table())


@lru_cache(_MAX_CACHED_ANALYSES)
def _normalised(text: str) -> normalisation.NormalisedText:
    return lexicons().normaliser.normalise(text)


@lru_cache(_MAX_CACHED_ANALYSES)
def _analysis(text: str) -> analysis.TextAnalysis:
    return engine().analyse(text)


@cache
def _personal() -> personal_data.PersonalDataFinder:
    return personal_data.PersonalDataFinder()


def _vocabulary() -> vocabulary.Vocabulary:
    return lexicons().normaliser.vocabulary


def _for_each_word(text: str, look: Callable[[str], object]) -> Callable[[], object]:
    words = (text, *text.split())
    return lambda: [look(word) for word in words]


def _alternating_spans(text: str) -> tuple[Span, ...]:
    return tuple(Span(start, start + 1) for start in range(0, len(text), 2))


def _spaced_letters(text: str) -> object:
    return list(letter_spacing.join_spaced_letters(text, _vocabulary()))


def _tokens(text: str) -> list[letter_spacing.Token]:
    return [
        letter_spacing.Token(word.text, word.span.start, word.span.end, disguised=False)
        for word in _normalised(text).words
    ]


def _clitics(words: list[letter_spacing.Token], text: str) -> object:
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
    "folding.fold_text": lambda text: partial(
        folding.fold_text, text, lexicons().normaliser.folding
    ),
    "language.guess_language": lambda text: partial(language.guess_language, text.split()),
    "masking.mask_text": lambda text: partial(masking.mask_text, _analysis(text)),
    "masking.mentions_home_address": lambda text: partial(
        masking.mentions_home_address, _analysis(text)
    ),
    "matching.LexiconMatcher.find": lambda text: partial(lexicons().find, _normalised(text), "fr"),
    "normalisation.Normaliser.normalise": lambda text: partial(
        lexicons().normaliser.normalise, text
    ),
    "normalisation.NormalisedText.separators": lambda text: partial(
        _normalised(text).separators, text
    ),
    "personal_data.PersonalDataFinder.find": lambda text: partial(_personal().find, text),
    "phrases.PhrasePattern.find": lambda text: partial(_phrases, _normalised(text).text),
    "analysis.TextAnalyser.analyse": lambda text: partial(engine().analyse, text),
    "shouting.capitals_share": lambda text: partial(
        shouting.capitals_share, text, _alternating_spans(text)
    ),
    "letter_spacing.join_spaced_letters": lambda text: partial(_spaced_letters, text.lower()),
    "spans.replace_spans": lambda text: partial(
        spans.replace_spans, text, _alternating_spans(text), by=" "
    ),
    "vocabulary.Vocabulary.recover": lambda text: _for_each_word(text, _vocabulary().recover),
    "vocabulary.Vocabulary.uncensor": lambda text: _for_each_word(text, _vocabulary().uncensor),
    # Conditions are CEL over the facts of the analysis.
    "rules.RuleEngine.evaluate": lambda text: partial(engine().evaluate, _analysis(text)),
    "clitics.CliticExpander.expand": lambda text: partial(_clitics, _tokens(text), text),
    "kit.web.markup.render_html, HTML": lambda text: partial(web_markup.render_html, text, "html"),
    # Raises on HTML that is too complex.
    "kit.web.balancing.balance_html": lambda text: partial(_rebuilt, text),
    "identity.members.to_ascii_words": lambda text: partial(members.to_ascii_words, text, "-"),
}
