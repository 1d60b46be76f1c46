"""The targets of the design, most of them ratios in one run, and whether they are met."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.benchmarks.rows import Row

OURS = "Préau"
TUTORIAL = "FastStream, its tutorial"
CONFLUENT = "confluent-kafka, by hand"
ORM = "FastAPI + SQLAlchemy ORM"


@dataclass(frozen=True)
class Figure:
    """The case, contender and unit of a figure."""

    case: str
    who: str

    def find(self, rows: Sequence[Row]) -> float | None:
        """Return its median; None when it was not measured."""
        matching = (row for row in rows if (row.case, row.who) == (self.case, self.who))
        return next((row.value for row in matching), None)


@dataclass(frozen=True)
class Target:
    """A bound on a figure: at least, or at most (`atmost`), `bound`.

    With `over`, of its ratio to that contender of the same case in the same run; of several, to the
    fastest.
    """

    says: str
    figure: Figure
    bound: float
    over: tuple[str, ...] = ()
    atmost: bool = False
    moonshot: bool = False


@dataclass(frozen=True)
class Verdict:
    """What became of a target; `measured` is None when a figure is missing."""

    target: Target
    measured: float | None

    @property
    def word(self) -> str:
        """Return the verdict as one word: met, missed, not measured."""
        if self.measured is None:
            return "not measured"
        holds: Callable[[float, float], bool] = float.__le__ if self.target.atmost else float.__ge__
        return "met" if holds(float(self.measured), float(self.target.bound)) else "missed"


def _effect(who: str = OURS) -> Figure:
    return Figure("effect", who)


def _latency(who: str) -> Figure:
    return Figure("latency", who)


TARGETS = (
    Target("with inbox and effect, catching up: ≥ 50,000 events/s", _effect(), 50_000),
    Target("the same: ≥ 100 × the tutorial way", _effect(), 100, (TUTORIAL,)),
    Target("the same: ≥ 0.75 × a librdkafka loop by hand", _effect(), 0.75, (CONFLUENT,)),
    Target("the same, moonshot: ≥ 1.0 × that loop", _effect(), 1.0, (CONFLUENT,), moonshot=True),
    Target(
        "five groups together: ≥ 50,000 effects/s",
        _effect(f"{OURS}, five groups in one process"),
        50_000,
    ),
    Target("the relay: ≥ 50,000 events/s", Figure("relay", OURS), 50_000),
    Target(
        "the relay: ≥ 20 × the outbox packages",
        Figure("relay", OURS),
        20,
        ("faststream-outbox", "txoutbox"),
    ),
    Target(
        "commit to receipt at 1,000/s: p50 ≤ 4 ms",
        _latency(f"{OURS}, commit to receipt at 1,000/s, p50"),
        4,
        atmost=True,
    ),
    Target(
        "commit to receipt at 1,000/s: p99 ≤ 10 ms",
        _latency(f"{OURS}, commit to receipt at 1,000/s, p99"),
        10,
        atmost=True,
    ),
    Target(
        "request to effect, one service, 500/s: p50 ≤ 8 ms",
        _latency(f"{OURS}, one service, request to effect at 500/s, p50"),
        8,
        atmost=True,
    ),
    Target(
        "request to effect, one service, 500/s: p99 ≤ 20 ms",
        _latency(f"{OURS}, one service, request to effect at 500/s, p99"),
        20,
        atmost=True,
    ),
    Target(
        "request to effect, five services in one process, 100/s: p50 ≤ 9 ms",
        _latency(f"{OURS}, five services, request to effect at 100/s, p50"),
        9,
        atmost=True,
    ),
    Target(
        "request to effect, five services in one process, 100/s: p99 ≤ 30 ms",
        _latency(f"{OURS}, five services, request to effect at 100/s, p99"),
        30,
        atmost=True,
    ),
    Target("publish: ≥ 3,000 requests/s", Figure("publish", OURS), 3_000),
    Target("publish: p99 < 35 ms", Figure("publish", f"{OURS}, p99"), 35, atmost=True),
    Target("publish: ≥ 3.5 × FastAPI + ORM", Figure("publish", OURS), 3.5, (ORM,)),
)


def judge(rows: Sequence[Row], targets: Sequence[Target] = TARGETS) -> list[Verdict]:
    """Hold the rows against the targets."""
    return [Verdict(target, _measured(target, rows)) for target in targets]


def _measured(target: Target, rows: Sequence[Row]) -> float | None:
    value = target.figure.find(rows)
    if value is None or not target.over:
        return value
    peer_values = [Figure(target.figure.case, who).find(rows) for who in target.over]
    positive = [value_over for value_over in peer_values if value_over]
    return value / max(positive) if positive else None
