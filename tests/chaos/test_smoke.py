"""Three faults with fixed seeds, as CI runs them: `make chaos` in small."""

import subprocess
import sys
from collections import Counter

import msgspec
import pytest

from tests.chaos import schedule
from tests.chaos.campaign import RUN_LOG
from tests.support.stack_process import REPOSITORY

FAULTS = ("duplicates", "PostgreSQL crash", "kill at a step")
SEED = 7


@pytest.mark.system
@pytest.mark.timeout(600)
def test_three_faults_lose_and_repeat_nothing() -> None:
    log_bytes = RUN_LOG.stat().st_size if RUN_LOG.exists() else 0
    words = [word for name in FAULTS for word in ("--only", name)]

    completed = subprocess.run(
        [sys.executable, "-m", "tests.chaos", "--seed", str(SEED), "--rate", "15", *words],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )

    assert completed.returncode == 0, completed.stdout + completed.stderr
    with RUN_LOG.open("rb") as log:
        log.seek(log_bytes)
        (line,) = map(msgspec.json.decode, log)
    assert sorted(fault["name"] for fault in line["faults"]) == sorted(FAULTS)
    assert all(fault["recovered"] is not None for fault in line["faults"])
    assert line["operations"]["ok"] > 0
    assert line["violations"] == []


def test_a_seed_fixes_the_schedule() -> None:
    def drawn(seed: int) -> list[tuple[float, str, float]]:
        return [(p.start_seconds, p.fault.name, p.rng.random()) for p in schedule.plan_faults(seed)]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


@pytest.mark.parametrize("first", [1, 2000, 7654321])
def test_two_hundred_seeds_draw_each_fault_ten_times(first: int) -> None:
    drawn = Counter(p.fault.name for n in range(200) for p in schedule.plan_faults(first + n))

    assert drawn.keys() == schedule.BY_NAME.keys()
    assert min(drawn.values()) >= 10, drawn
