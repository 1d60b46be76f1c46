"""What was looked at, how much of it, and what is broken."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_LISTED_VIOLATIONS = 100
"""Violations kept of each invariant; the others are only counted."""
INVARIANTS = {
    "I1": "every operation that was answered has its effect, no refused one does",
    "I2": "every change has its facts, and every fact its change",
    "I3": "the log holds 1…head of every key, in order, each event with one id and one content",
    "I4": "every group dealt once with every event",
    "I5": "per key, what is applied only goes forward",
    "I6": "projections equal a recomputation",
    "I7": "nothing leaves the platform twice",
    "I8": "no committed offset lies behind the first event not applied",
    "I9": "no row is visible to another tenant",
    "I10": "lag returns to 0",
    "I11": "every audit chain is whole and ends where it was published to end",
}


@dataclass(frozen=True, order=True)
class Violation:
    """One broken promise: of which invariant, of which key, and what was found."""

    invariant: str
    key: str
    text: str


@dataclass
class Report:
    """What the checker found.

    `lag` is in events, per group; `waiting` in rows, per outbox; `missing` in events that a group
    has passed and left no trace of; `repeated` in records that stand in the log once more;
    `different` in rows, per service, of a read model that are not what a replay makes.
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

    def record_check(self, invariant: str, what: str, number: int) -> None:
        """Note what was looked at, and how many of them."""
        self.looked.append((invariant, what, number))

    def add_note(self, invariant: str, text: str) -> None:
        """Note what could not be looked at, and why."""
        self.notes.append((invariant, text))

    def report_violation(self, invariant: str, key: str, text: str) -> None:
        """Note a violation."""
        self.counted[invariant] += 1
        if self.counted[invariant] <= MAX_LISTED_VIOLATIONS:
            self.wrong.append(Violation(invariant, key, text))

    @property
    def clean(self) -> bool:
        """Whether nothing is broken."""
        return not self.counted

    def lines(self) -> Iterator[str]:
        """Tell a person."""
        for invariant, name in INVARIANTS.items():
            told = [f"{what}: {n:,}" for which, what, n in self.looked if which == invariant]
            notes = [text for which, text in self.notes if which == invariant]
            if not told and not notes and not self.counted[invariant]:
                continue
            number = self.counted[invariant]
            verdict = f"{number:,} VIOLATIONS" if number else "holds" if told else "not looked at"
            yield f"{invariant:4} {name}: {verdict}"
            yield from (f"       {each}" for each in (*told, *notes))
            broken = [each for each in self.wrong if each.invariant == invariant]
            yield from (f"     ! {each.key}: {each.text}" for each in broken)
            if number > len(broken):
                yield f"     ! … and {number - len(broken):,} more"
        behind = ", ".join(f"{group} {n:,}" for group, n in self.lag.items() if n)
        unsent = ", ".join(f"{service} {n:,}" for service, n in self.waiting.items() if n)
        yield f"Not yet applied: {behind or 'nothing'}. Not yet sent: {unsent or 'nothing'}."
        total = self.counted.total()
        yield f"{total or 'No'} violation{'s' * (total != 1)}, in {self.seconds:.1f} s."
