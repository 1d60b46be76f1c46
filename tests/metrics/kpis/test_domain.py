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
from shared.contracts.cast import HAMID, ZOE

NOVEMBER, DECEMBER = date(2026, 11, 1), date(2026, 12, 1)
DAYS = st.dates(date(2005, 1, 1), date(2030, 1, 1))


def _names(begin: str, end: str, grain: Grain) -> list[str]:
    return [
        each.name
        for each in split_into_periods(date.fromisoformat(begin), date.fromisoformat(end), grain)
    ]


def test_months_and_days_have_their_names() -> None:
    assert _names("2026-12-15", "2027-02-02", Grain.MONTH) == ["2026-12", "2027-01", "2027-02"]
    assert _names("2028-02-28", "2028-03-01", Grain.DAY) == ["2028-02-28", "2028-02-29"]


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
    assert _names(begin, end, Grain.WEEK) == names


@given(DAYS, st.integers(1, 400), st.sampled_from(Grain))
def test_periods_cover_what_was_asked_without_gap_or_overlap(
    begin: date, length: int, grain: Grain
) -> None:
    end = begin + timedelta(days=length)
    cut = split_into_periods(begin, end, grain)
    assert (cut[0].begin, cut[-1].end) == (begin, end)
    assert all(one.end == two.begin for one, two in pairwise(cut))
    assert len({each.name for each in cut}) == len(cut)


@pytest.mark.parametrize("grain", Grain)
@pytest.mark.parametrize("begin", [date(1, 1, 1), date(1899, 12, 31), date(9999, 12, 30)])
def test_days_that_some_time_zone_lacks_are_refused(begin: date, grain: Grain) -> None:
    with pytest.raises(BadPeriod):
        split_into_periods(begin, begin + timedelta(days=1), grain)


@pytest.mark.parametrize("days", [0, -1, 366 * 30])
def test_a_period_that_is_none_or_too_long_is_refused(days: int) -> None:
    with pytest.raises(BadPeriod):
        split_into_periods(NOVEMBER, NOVEMBER + timedelta(days=days), Grain.MONTH)


def test_a_mask_names_the_days_of_its_month() -> None:
    days = list(days_of_mask(NOVEMBER, 1 | 1 << 29))
    assert days == [NOVEMBER, date(2026, 11, 30)]
    assert list(days_of_mask(date(2026, 1, 1), 1 << 30)) == [date(2026, 1, 31)]
    assert not list(days_of_mask(NOVEMBER, 0))


ACTIVITY = RecordedActivity(
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


def _rows(
    now: datetime, zone: str = "Indian/Reunion", *, hidden: bool = False
) -> dict[str, KpiResult]:
    cut = split_into_periods(NOVEMBER, DECEMBER, Grain.MONTH)
    found = compute_kpis(ACTIVITY, cut, Grain.MONTH, time_zone=zone, now=now, masked=hidden)
    assert [row.kpi for row in found] == list(DEFINITIONS)
    return {row.kpi: row for row in found}


END = datetime(2026, 12, 1, tzinfo=ZoneInfo("Indian/Reunion"))


def test_every_figure_is_of_its_period_only() -> None:
    found = _rows(END)
    values = {kpi: row.value for kpi, row in found.items()}
    assert (values["questions"], values["flags"], values["contributors"]) == (4, 0, 1)
    answered = found["questions_answered"]
    assert (answered.value, answered.numerator, answered.denominator) == (0.5, 2, 4)
    assert (values["hours_to_first_answer"], found["hours_to_first_answer"].n) == (6.0, 2)


def test_where_nothing_was_asked_nothing_can_be_said_of_answers() -> None:
    cut = split_into_periods(DECEMBER, DECEMBER + timedelta(days=1), Grain.DAY)
    found = compute_kpis(ACTIVITY, cut, Grain.DAY, time_zone="UTC", now=END, masked=False)
    values = {row.kpi: row.value for row in found}
    assert (values["questions_answered"], values["hours_to_first_answer"]) == (None, None)
    assert (values["questions"], values["flags"], values["contributors"]) == (0, 2, 1)


def test_a_figure_is_final_once_nothing_late_may_come_where_it_was_counted() -> None:
    last = END + LATE_ARRIVAL_PERIOD
    assert {row.status for row in _rows(last).values()} == {"final"}
    early = last - timedelta(seconds=1)
    assert {row.status for row in _rows(early).values()} == {"provisional"}
    assert {row.status for row in _rows(last, "Europe/Paris").values()} == {"provisional"}


def test_figures_about_few_people_are_masked_and_no_others() -> None:
    shown, masked = _rows(END), _rows(END, hidden=True)
    hidden = {kpi for kpi, row in masked.items() if row.status == "suppressed"}
    assert hidden == {kpi for kpi, definition in DEFINITIONS.items() if definition.people}
    for kpi, row in masked.items():
        if kpi in hidden:
            assert (row.value, row.numerator, row.denominator, row.n) == (None,) * 4
        else:
            assert row == shown[kpi]


@pytest.mark.parametrize(
    ("enrolled", "minors", "hidden"),
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
def test_fewer_than_five_adults_or_ten_with_pupils_stay_among_themselves(
    enrolled: int, minors: int, *, hidden: bool
) -> None:
    assert must_mask(enrolled, minors) is hidden


def test_many_counts_over_many_periods_take_one_pass() -> None:
    begin, end = date(2000, 1, 1), date(2029, 1, 1)
    days = [begin + timedelta(days=number) for number in range((end - begin).days)]
    counts = {(day, kind): 1 for day in days for kind in ("questions", "answers", "flags")}
    activity = RecordedActivity(counts, {ZOE: frozenset(days)}, [(day, 1.0) for day in days])
    cut = split_into_periods(begin, end, Grain.MONTH)

    started = process_time()
    found = compute_kpis(activity, cut, Grain.MONTH, time_zone="UTC", now=END, masked=False)

    assert process_time() - started < 1, "once for each period takes ten seconds"
    assert sum(row.value or 0 for row in found if row.kpi == "questions") == len(days)


def test_more_periods_than_anybody_reads_are_refused() -> None:
    assert len(split_into_periods(NOVEMBER, NOVEMBER + timedelta(days=400), Grain.DAY)) == 400
    with pytest.raises(BadPeriod):
        split_into_periods(NOVEMBER, NOVEMBER + timedelta(days=401), Grain.DAY)
