"""Report of a reconciliation: the checks, their counts and the violations."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_LISTED_VIOLATIONS = 100
"""Violations stored per invariant; further ones are only counted."""
INVARIANTS = {
    "I1": "every operation that was answered has its effect, no refused one does",
    "I2": "every change has its events, and every event its change",
    "I3": "the log holds 1…head of every key, in order, each event with one id and one content",
    "I4": "every group handled every event exactly once",
    "I5": "the applied sequence of a key only increases",
    "I6": "projections equal a recomputation",
    "I7": "nothing is sent to another system twice",
    "I8": "no committed offset is behind the first event not applied",
    "I9": "no row is visible to another tenant",
    "I10": "lag returns to 0",
    "I11": "every audit chain is complete and ends with its published hash",
}


@dataclass(frozen=True, order=True)
class Violation:
    """A violation of an invariant, at a key."""

    invariant: str
    key: str
    text: str


@dataclass
class Report:
    """Result of a reconciliation.

    `lag` counts events per group; `waiting` rows per outbox; `missing` events that a group has
    passed without a trace; `repeated` records that are in the log again; `different` rows per
    service of a read model that differ from a replay.
    """

    looked: list[tuple[str, str, int]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    wrong: list[Violation] = field(default_factory=list)
    counted: Counter[str] = field(default_factory=Counter)
    lag: dict[str, int] = field(default_factory=dict)
    waiting: dict[str, int] = field(default_factory=dict)
    missing: dict[str, int] = field(default_factory=dict)
    repeated: int = 0
    different: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    def record_check(self, invariant: str, subject: str, number: int) -> None:
        """Record a check and the number of items that it covered."""
        self.looked.append((invariant, subject, number))

    def add_note(self, invariant: str, text: str) -> None:
        """Record a check that was not possible, and why."""
        self.notes.append((invariant, text))

    def report_violation(self, invariant: str, key: str, text: str) -> None:
        """Record a violation; beyond `MAX_LISTED_VIOLATIONS` it is only counted."""
        self.counted[invariant] += 1
        if self.counted[invariant] <= MAX_LISTED_VIOLATIONS:
            self.wrong.append(Violation(invariant, key, text))

    @property
    def clean(self) -> bool:
        """Return whether there are no violations."""
        return not self.counted

    def lines(self) -> Iterator[str]:
        """Yield the report as lines of text."""
        for invariant, name in INVARIANTS.items():
            checks = [
                f"{subject}: {count:,}"
                for other, subject, count in self.looked
                if other == invariant
            ]
            notes = [text for other, text in self.notes if other == invariant]
            if not checks and not notes and not self.counted[invariant]:
                continue
            number = self.counted[invariant]
            verdict = f"{number:,} VIOLATIONS" if number else "holds" if checks else "not checked"
            yield f"{invariant:4} {name}: {verdict}"
            yield from (f"       {line}" for line in (*checks, *notes))
            broken = [violation for violation in self.wrong if violation.invariant == invariant]
            yield from (f"     ! {violation.key}: {violation.text}" for violation in broken)
            if number > len(broken):
                yield f"     ! … and {number - len(broken):,} more"
        lagging = ", ".join(f"{group} {count:,}" for group, count in self.lag.items() if count)
        unsent = ", ".join(
            f"{service} {count:,}" for service, count in self.waiting.items() if count
        )
        yield f"Not yet applied: {lagging or 'nothing'}. Not yet sent: {unsent or 'nothing'}."
        total = self.counted.total()
        yield f"{total or 'No'} violation{'s' * (total != 1)}, in {self.seconds:.1f} s."
