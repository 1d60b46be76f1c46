"""Objectives: which time counts, when the limit is met, and when a value is a violation."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from tests.chaos.backlog import BacklogSnapshot
from tests.chaos.objectives import (
    ALL_GROUPS,
    REBALANCES,
    WORK_RESUMED,
    FaultInterval,
    Measurement,
    Measurements,
    ObjectiveResult,
)
from tests.chaos.server_errors import count_internal_errors, count_unexplained_errors
from tests.chaos.summary import _objectives
from tests.chaos.workload.journal import Operation, Outcome

START = datetime(2026, 11, 25, 12, tzinfo=UTC)
CRASH = FaultInterval("PostgreSQL crash", 10.0, 20.0)


def resumed(began: float, ended: float | None, own: str = "kill") -> Measurement:
    return Measurement(WORK_RESUMED, "metrics", began, ended, own_fault=own)


@pytest.mark.parametrize(
    ("measured", "value"),
    [
        (resumed(5, 8), 3),
        (resumed(5, 30), 10),
        (resumed(25, 30), 5),
        (resumed(12, 15), 0),
        (resumed(5, 15), 5),
        (resumed(5, 30, own="PostgreSQL crash"), 25),
        (Measurement(REBALANCES, "notifications", number=4), 4),
    ],
)
def test_measurement_excludes_time_in_which_faults_block_the_subject(
    measured: Measurement, value: float
) -> None:
    other = FaultInterval("SIGTERM", 1, 29, "community, gone after 28 s")
    assert measured.value([CRASH, FaultInterval("flood", 1, 29), other]) == value


def test_fault_blocks_its_service_and_all_groups() -> None:
    zombie = [FaultInterval("zombie", 0, 20, "metrics-2 for 20 s")]
    assert resumed(5, 30).value(zombie) == 10
    assert Measurement(WORK_RESUMED, ALL_GROUPS, 5, 30).value(zombie) == 10
    assert Measurement(WORK_RESUMED, "community", 5, 30).value(zombie) == 25


def test_only_a_missed_violation_limit_is_a_violation() -> None:
    measurements = Measurements([resumed(0, 9), resumed(0, 40)])
    assert measurements.summarize([]) == {
        WORK_RESUMED.name: ObjectiveResult(asked=2, kept=1, worst=40.0)
    }
    assert measurements.violations([]) == []

    measurements.items.append(resumed(0, None))
    assert measurements.summarize([])[WORK_RESUMED.name] == ObjectiveResult(
        asked=3, kept=1, worst=None
    )
    assert [violation.key for violation in measurements.violations([])] == ["metrics"]


def answered(status: int, at: float, kind: str = "unavailable") -> Operation:
    ended = START + timedelta(seconds=at)
    fields: dict[str, Any] = dict.fromkeys(("run", "service", "verb", "method", "path"), "")
    return Operation(
        n=1,
        begun=ended - timedelta(seconds=1),
        ended=ended,
        member=None,
        outcome=Outcome.MAYBE,
        status=status,
        answer={"type": f"/community/problems/{kind}"},
        **fields,
    )


def test_500_always_counts_and_503_counts_without_outage() -> None:
    operations = [
        answered(500, 15),
        answered(503, 15),
        answered(503, 24),
        answered(503, 27, "overloaded"),
    ]
    assert count_internal_errors(operations) == 1
    assert count_unexplained_errors(operations, [CRASH], START) == 0

    operations += [answered(503, 40), answered(504, 5)]
    assert count_unexplained_errors(operations, [CRASH, FaultInterval("flood", 0, 50)], START) == 2


def snapshot(position: int, oldest: int) -> BacklogSnapshot:
    positions = {("post", 0): position, ("post", 1): 5}
    ends = {("post", 0): 9, ("post", 1): 5}
    dead_or_due = {"metrics": 0}
    return BacklogSnapshot(
        dead_or_due, {"metrics": oldest}, ends, {"metrics": positions}, dead_or_due, dead_or_due
    )


def test_snapshot_has_progressed_once_all_waiting_work_moved() -> None:
    mark = snapshot(3, 7)
    assert snapshot(4, 8).has_progressed(mark, "metrics")
    assert snapshot(4, 0).has_progressed(mark, "metrics")
    assert not snapshot(3, 8).has_progressed(mark, "metrics")
    assert not snapshot(4, 7).has_progressed(mark, "metrics")
    assert snapshot(9, 7).has_progressed(snapshot(9, 0), "metrics")


def test_summary_lists_how_often_objectives_were_met() -> None:
    runs = [
        {"promises": {WORK_RESUMED.name: msgspec.to_builtins(ObjectiveResult(2, 1, worst))}}
        for worst in (20.5, 9)
    ]
    lines = list(_objectives([*runs, {}]))
    assert lines[2:] == [f"| {WORK_RESUMED.name} | 15 | 4 | 2 | 20.5 |"]
    assert list(_objectives([{}])) == []
