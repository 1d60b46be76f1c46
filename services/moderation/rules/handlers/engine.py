"""The engine: a text in, a decision and its reasons out; no I/O, any thread, well under 1 ms."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from services.moderation.rules.domain.evaluation import evaluate_rules
from services.moderation.rules.domain.facts import (
    UNKNOWN_ACTIVITY,
    ActivityCounts,
    Facts,
    extract_facts,
)
from services.moderation.rules.domain.rule import CompiledRule, Message
from services.moderation.rules.domain.verdict import Verdict
from services.moderation.text.domain.analysis import Hit, TextAnalyser, TextAnalysis
from services.moderation.text.domain.masking import mask_text
from services.moderation.text.domain.personal_data import PersonalDataMatch


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A text screened: the decision, what it rests on, and the text as it may be shown."""

    verdict: Verdict
    facts: Facts
    masked: str
    hits: tuple[Hit, ...]
    personal_data: tuple[PersonalDataMatch, ...]


class RuleEngine:
    """Reads and decides; build it once (`open_engine`) and hand it to whoever screens.

    `today` gives the day, for rules that expire.
    """

    def __init__(
        self, reader: TextAnalyser, rules: Sequence[CompiledRule], *, today: Callable[[], date]
    ) -> None:
        self._reader = reader
        self._rules = tuple(rules)
        self._today = today

    @property
    def rules(self) -> tuple[CompiledRule, ...]:
        return self._rules

    @property
    def messages(self) -> Mapping[str, Message]:
        """Reason key → what the author reads."""
        return {ready.rule.reason: ready.rule.message for ready in self._rules}

    def analyse(self, text: str, *, language_hint: str | None = None) -> TextAnalysis:
        """First half: what the text says. Look up the counters while it is at hand."""
        return self._reader.analyse(text, language_hint=language_hint)

    def evaluate(
        self, reading: TextAnalysis, around: ActivityCounts = UNKNOWN_ACTIVITY
    ) -> Evaluation:
        """Second half: what the rules make of it and of its circumstances."""
        facts = extract_facts(reading, around)
        return Evaluation(
            verdict=evaluate_rules(facts, self._rules, on=self._today()),
            facts=facts,
            masked=mask_text(reading),
            hits=reading.hits,
            personal_data=reading.personal_data,
        )

    def screen(
        self,
        text: str,
        *,
        language_hint: str | None = None,
        around: ActivityCounts = UNKNOWN_ACTIVITY,
    ) -> Evaluation:
        """Both halves. `text` is plain or Markdown; HTML first goes through `text_of_html`."""
        return self.evaluate(self.analyse(text, language_hint=language_hint), around)
