"""The engine: a text in, a decision and its reasons out; no I/O, any thread, well under 1 ms."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from services.moderation.rules.domain.deciding import decide
from services.moderation.rules.domain.facts import (
    UNKNOWN,
    Circumstances,
    Facts,
    gather_facts,
)
from services.moderation.rules.domain.rule import Message, ReadyRule
from services.moderation.rules.domain.verdict import Verdict
from services.moderation.text.domain.masking import masked
from services.moderation.text.domain.personal import Personal
from services.moderation.text.domain.reading import Hit, Reader, Reading


@dataclass(frozen=True, slots=True)
class Screening:
    """A text screened: the decision, what it rests on, and the text as it may be shown."""

    verdict: Verdict
    facts: Facts
    masked: str
    hits: tuple[Hit, ...]
    personal: tuple[Personal, ...]


class Engine:
    """Reads and decides; build it once (`open_engine`) and hand it to whoever screens.

    `today` gives the day, for rules that expire.
    """

    def __init__(
        self, reader: Reader, rules: Sequence[ReadyRule], *, today: Callable[[], date]
    ) -> None:
        self._reader = reader
        self._rules = tuple(rules)
        self._today = today

    @property
    def rules(self) -> tuple[ReadyRule, ...]:
        return self._rules

    @property
    def messages(self) -> Mapping[str, Message]:
        """Reason key → what the author reads."""
        return {ready.rule.reason: ready.rule.message for ready in self._rules}

    def read(self, text: str, *, language_hint: str | None = None) -> Reading:
        """First half: what the text says. Look up the counters while it is at hand."""
        return self._reader.read(text, language_hint=language_hint)

    def judge(self, reading: Reading, around: Circumstances = UNKNOWN) -> Screening:
        """Second half: what the rules make of it and of its circumstances."""
        facts = gather_facts(reading, around)
        return Screening(
            verdict=decide(facts, self._rules, on=self._today()),
            facts=facts,
            masked=masked(reading),
            hits=reading.hits,
            personal=reading.personal,
        )

    def screen(
        self, text: str, *, language_hint: str | None = None, around: Circumstances = UNKNOWN
    ) -> Screening:
        """Both halves. `text` is plain or Markdown; HTML first goes through `text_of_html`."""
        return self.judge(self.read(text, language_hint=language_hint), around)
