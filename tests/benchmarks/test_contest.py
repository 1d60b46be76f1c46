from pathlib import Path

import pytest

from shared.kit.core.bus import MAX_BATCH_RECORDS
from tests.benchmarks import contest as contests
from tests.benchmarks.contest import Bench, Contender, Failed, Figures, contest, task_for
from tests.benchmarks.environments import NotInstalled
from tests.benchmarks.peers.protocol import Stopwatch

FAST, SLOW = Contender("fast", "m"), Contender("slow", "m", share=0.01, batch=1)
ABSENT = Contender("absent", "m", "somewhere")


def python_of(home: str | None) -> str:
    if home is not None:
        raise NotInstalled("no such version")
    return "python"


@pytest.fixture(autouse=True)
def _no_packages_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contests, "python_of", python_of)


async def test_contenders_run_in_turns_and_uninstalled_ones_give_a_reason() -> None:
    turns: list[str] = []

    async def measure(contender: Contender, python: str, log: Path) -> Figures:
        turns.append(contender.who)
        return {("", "events/s"): float(len(turns)), (", p99", "ms"): 1.0}

    rows = await contest(Bench(2, 1.0), "case", (FAST, ABSENT, SLOW), measure)

    assert turns == ["fast", "slow", "fast", "slow"]
    assert [(row.who, row.value, row.runs) for row in rows] == [
        ("fast", 2.0, 2),
        ("fast, p99", 1.0, 2),
        ("absent", None, 0),
        ("slow", 3.0, 2),
        ("slow, p99", 1.0, 2),
    ]
    assert rows[2].reason == "not installed: no such version"


async def test_failed_run_invalidates_all_runs_of_the_contender() -> None:
    runs = iter((1.0, None))

    async def measure(contender: Contender, python: str, log: Path) -> Figures:
        value = next(runs)
        if value is None:
            raise Failed("3 events, 2 effects")
        return {("", "events/s"): value}

    (result,) = await contest(Bench(2, 1.0), "case", (FAST,), measure)

    assert (result.value, result.reason) == (None, "3 events, 2 effects")


def test_slow_contenders_read_fewer_records() -> None:
    fast, slow = (task_for(contender, "k", "t", 10_000) for contender in (FAST, SLOW))

    assert (fast.warm, fast.count) == (2_000, 8_000 - MAX_BATCH_RECORDS)
    assert (slow.warm, slow.count) == (20, 79)
    assert fast.group != slow.group


def test_stopwatch_excludes_warm_up_records(
    capsys: pytest.CaptureFixture[str],
) -> None:
    watch = Stopwatch(10, 20)

    assert [watch.passed(8) for _ in range(5)] == [False, False, False, True, True]
    watch.report()

    output = capsys.readouterr().out
    assert '"count": 16' in output
    assert '"seen": 40' in output
