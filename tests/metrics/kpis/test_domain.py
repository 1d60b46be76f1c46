from datetime import date, datetime, timedelta
from itertools import pairwise
from time import process_time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.metrics.kpis.domain import (
    DEFINITIONS,
    LATE_ARRIVAL_PERIOD,
    BadPeriod,
    Grain,
    KpiResult,
    RecordedActivity,
    compute_kpis,
    days_of_mask,
    must_mask,
    split_into_periods,
)
from shared.contracts.example_data import HAMID, ZOE

NOVEMBER, DECEMBER = date(2026, 11, 1), date(2026, 12, 1)
DATES = st.dates(date(2005, 1, 1), date(2030, 1, 1))


def _period_names(begin: str, end: str, grain: Grain) -> list[str]:
    return [
        period.name
        for period in split_into_periods(date.fromisoformat(begin), date.fromisoformat(end), grain)
    ]


def test_period_names_of_months_and_days() -> None:
    assert _period_names("2026-12-15", "2027-02-02", Grain.MONTH) == [
        "2026-12",
        "2027-01",
        "2027-02",
    ]
    assert _period_names("2028-02-28", "2028-03-01", Grain.DAY) == ["2028-02-28", "2028-02-29"]


@pytest.mark.parametrize(
    ("begin", "end", "names"),
    [
        ("2026-12-28", "2027-01-11", ["2026-W53", "2027-W01"]),
        ("2024-12-29", "2024-12-31", ["2024-W52", "2025-W01"]),
        ("2027-01-01", "2027-01-04", ["2026-W53"]),
        ("2026-01-01", "2026-01-06", ["2026-W01", "2026-W02"]),
    ],
)
def test_weeks_are_iso_weeks(begin: str, end: str, names: list[str]) -> None:
    assert _period_names(begin, end, Grain.WEEK) == names


@given(DATES, st.integers(1, 400), st.sampled_from(Grain))
def test_periods_cover_the_range_without_gap_or_overlap(
    begin: date, length: int, grain: Grain
) -> None:
    end = begin + timedelta(days=length)
    periods = split_into_periods(begin, end, grain)
    assert (periods[0].begin, periods[-1].end) == (begin, end)
    assert all(period.end == next_period.begin for period, next_period in pairwise(periods))
    assert len({period.name for period in periods}) == len(periods)


@pytest.mark.parametrize("grain", Grain)
@pytest.mark.parametrize("begin", [date(1, 1, 1), date(1899, 12, 31), date(9999, 12, 30)])
def test_days_outside_every_calendar_are_rejected(begin: date, grain: Grain) -> None:
    with pytest.raises(BadPeriod):
        split_into_periods(begin, begin + timedelta(days=1), grain)


@pytest.mark.parametrize("days", [0, -1, 366 * 30])
def test_empty_or_too_long_range_is_rejected(days: int) -> None:
    with pytest.raises(BadPeriod):
        split_into_periods(NOVEMBER, NOVEMBER + timedelta(days=days), Grain.MONTH)


def test_mask_lists_the_days_of_its_month() -> None:
    days = list(days_of_mask(NOVEMBER, 1 | 1 << 29))
    assert days == [NOVEMBER, date(2026, 11, 30)]
    assert list(days_of_mask(date(2026, 1, 1), 1 << 30)) == [date(2026, 1, 31)]
    assert not list(days_of_mask(NOVEMBER, 0))


RECORDED_ACTIVITY = RecordedActivity(
    counts={
        (NOVEMBER, "questions"): 3,
        (date(2026, 11, 30), "questions"): 1,
        (DECEMBER, "flags"): 2,
    },
    days_of={
        ZOE: frozenset({NOVEMBER, date(2026, 11, 2)}),
        HAMID: frozenset({DECEMBER}),
    },
    questions=[(NOVEMBER, 2.0), (NOVEMBER, None), (NOVEMBER, 10.0), (date(2026, 11, 30), None)],
)


def _results(
    now: datetime, zone: str = "Indian/Reunion", *, masked: bool = False
) -> dict[str, KpiResult]:
    periods = split_into_periods(NOVEMBER, DECEMBER, Grain.MONTH)
    results = compute_kpis(
        RECORDED_ACTIVITY, periods, Grain.MONTH, time_zone=zone, now=now, masked=masked
    )
    assert [row.kpi for row in results] == list(DEFINITIONS)
    return {row.kpi: row for row in results}


END_OF_NOVEMBER = datetime(2026, 12, 1, tzinfo=ZoneInfo("Indian/Reunion"))


def test_values_count_only_their_period() -> None:
    results = _results(END_OF_NOVEMBER)
    values = {kpi: row.value for kpi, row in results.items()}
    assert (values["questions"], values["flags"], values["contributors"]) == (4, 0, 1)
    answered_share = results["questions_answered"]
    assert (answered_share.value, answered_share.numerator, answered_share.denominator) == (
        0.5,
        2,
        4,
    )
    assert (values["hours_to_first_answer"], results["hours_to_first_answer"].n) == (6.0, 2)


def test_answer_kpis_are_none_without_questions() -> None:
    periods = split_into_periods(DECEMBER, DECEMBER + timedelta(days=1), Grain.DAY)
    results = compute_kpis(
        RECORDED_ACTIVITY, periods, Grain.DAY, time_zone="UTC", now=END_OF_NOVEMBER, masked=False
    )
    values = {row.kpi: row.value for row in results}
    assert (values["questions_answered"], values["hours_to_first_answer"]) == (None, None)
    assert (values["questions"], values["flags"], values["contributors"]) == (0, 2, 1)


def test_value_is_final_after_late_arrivals_in_local_time() -> None:
    final_time = END_OF_NOVEMBER + LATE_ARRIVAL_PERIOD
    assert {row.status for row in _results(final_time).values()} == {"final"}
    second_before = final_time - timedelta(seconds=1)
    assert {row.status for row in _results(second_before).values()} == {"provisional"}
    assert {row.status for row in _results(final_time, "Europe/Paris").values()} == {"provisional"}


def test_only_values_about_people_are_masked() -> None:
    unmasked_results, masked_results = (
        _results(END_OF_NOVEMBER),
        _results(END_OF_NOVEMBER, masked=True),
    )
    masked_kpis = {kpi for kpi, row in masked_results.items() if row.status == "suppressed"}
    assert masked_kpis == {kpi for kpi, definition in DEFINITIONS.items() if definition.people}
    for kpi, row in masked_results.items():
        if kpi in masked_kpis:
            assert (row.value, row.numerator, row.denominator, row.n) == (None,) * 4
        else:
            assert row == unmasked_results[kpi]


@pytest.mark.parametrize(
    ("enrolled", "minors", "masked"),
    [
        (0, 0, True),
        (4, 0, True),
        (5, 0, False),
        (5, 1, True),
        (9, 9, True),
        (10, 10, False),
        (10, 1, False),
    ],
)
def test_small_groups_are_masked(enrolled: int, minors: int, *, masked: bool) -> None:
    assert must_mask(enrolled, minors) is masked


def test_many_counts_over_many_periods_take_one_pass() -> None:
    begin, end = date(2000, 1, 1), date(2029, 1, 1)
    days = [begin + timedelta(days=number) for number in range((end - begin).days)]
    counts = {(day, kind): 1 for day in days for kind in ("questions", "answers", "flags")}
    activity = RecordedActivity(counts, {ZOE: frozenset(days)}, [(day, 1.0) for day in days])
    periods = split_into_periods(begin, end, Grain.MONTH)

    started = process_time()
    results = compute_kpis(
        activity, periods, Grain.MONTH, time_zone="UTC", now=END_OF_NOVEMBER, masked=False
    )

    assert process_time() - started < 1, "one pass per period takes ten seconds"
    assert sum(row.value or 0 for row in results if row.kpi == "questions") == len(days)


def test_too_many_periods_are_rejected() -> None:
    assert len(split_into_periods(NOVEMBER, NOVEMBER + timedelta(days=400), Grain.DAY)) == 400
    with pytest.raises(BadPeriod):
        split_into_periods(NOVEMBER, NOVEMBER + timedelta(days=401), Grain.DAY)
