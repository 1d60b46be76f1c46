"""The rule engine: a text to a verdict with reasons; no I/O, thread-safe, well under 1 ms."""

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
    """The verdict on a text, its facts, and the text masked for display."""

    verdict: Verdict
    facts: Facts
    masked: str
    hits: tuple[Hit, ...]
    personal_data: tuple[PersonalDataMatch, ...]


class RuleEngine:
    """Analyses and evaluates texts; build it once with `open_engine`.

    `today` returns the day, for rules that expire.
    """

    def __init__(
        self, analyser: TextAnalyser, rules: Sequence[CompiledRule], *, today: Callable[[], date]
    ) -> None:
        self._analyser = analyser
        self._rules = tuple(rules)
        self._today = today

    @property
    def rules(self) -> tuple[CompiledRule, ...]:
        return self._rules

    @property
    def messages(self) -> Mapping[str, Message]:
        """Reason key → message for the author."""
        return {compiled.rule.reason: compiled.rule.message for compiled in self._rules}

    def analyse(self, text: str, *, language_hint: str | None = None) -> TextAnalysis:
        """First step: analyse the text. Counters can be looked up before the second step."""
        return self._analyser.analyse(text, language_hint=language_hint)

    def evaluate(
        self, analysis: TextAnalysis, around: ActivityCounts = UNKNOWN_ACTIVITY
    ) -> Evaluation:
        """Second step: evaluate the rules on the analysis and the activity around the text."""
        facts = extract_facts(analysis, around)
        return Evaluation(
            verdict=evaluate_rules(facts, self._rules, on=self._today()),
            facts=facts,
            masked=mask_text(analysis),
            hits=analysis.hits,
            personal_data=analysis.personal_data,
        )

    def screen(
        self,
        text: str,
        *,
        language_hint: str | None = None,
        around: ActivityCounts = UNKNOWN_ACTIVITY,
    ) -> Evaluation:
        """Run both steps. `text` is plain or Markdown; convert HTML with `text_of_html` first."""
        return self.evaluate(self.analyse(text, language_hint=language_hint), around)
