from tests.benchmarks.rows import Row, row
from tests.benchmarks.targets import CONFLUENT, OURS, TARGETS, TUTORIAL, Figure, Target, judge

FAST = Target("fast", Figure("effect", OURS), 50_000)
RATIO = Target("a ratio", Figure("effect", OURS), 0.75, (CONFLUENT,))
SOON = Target("soon", Figure("latency", OURS), 10, atmost=True)


def measured(who: str, value: float, case: str = "effect") -> Row:
    return row(case, who, "events/s", [value])


def test_target_is_judged_at_least_or_at_most() -> None:
    rows = [measured(OURS, 50_000), measured(OURS, 10.1, "latency")]

    assert [verdict.word for verdict in judge(rows, (FAST, SOON))] == ["met", "missed"]


def test_ratio_is_computed_against_the_fastest_peer_of_the_case() -> None:
    target = Target("relay", Figure("relay", OURS), 20, ("slow", "fast", "broken"))
    rows = [
        measured(OURS, 1000, "relay"),
        measured("slow", 10, "relay"),
        measured("fast", 100, "relay"),
        row("relay", "broken", "", [], "did not start"),
        measured("fast", 1, "effect"),
    ]

    (verdict,) = judge(rows, (target,))

    assert verdict.measured == 10
    assert verdict.word == "missed"


def test_target_without_figure_is_not_measured() -> None:
    alone = [measured(OURS, 60_000)]
    without = [measured(CONFLUENT, 60_000), row("effect", OURS, "", [], "failed")]

    assert [verdict.word for verdict in judge(alone, (RATIO,))] == ["not measured"]
    assert [verdict.word for verdict in judge(without, (FAST, RATIO))] == ["not measured"] * 2


def test_every_target_of_the_design_is_listed() -> None:
    words = [target.says for target in TARGETS]

    assert len(set(words)) == len(words)
    assert any(TUTORIAL in target.over and target.bound == 100 for target in TARGETS)
    assert {target.figure.case for target in TARGETS} == {"effect", "relay", "latency", "publish"}
