"""KPIs: definitions, periods and masking. Pure."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from statistics import median
from zoneinfo import ZoneInfo

from shared.contracts.ids import MemberId
from shared.kit.core.errors import Invalid

LATE_ARRIVAL_PERIOD = timedelta(days=35)
"""Live events may arrive this late; until then a value is provisional."""
MIN_ADULTS = 5
MIN_PUPILS = 10
MAX_RANGE_DAYS = 366 * 30
MAX_PERIODS = 400
"""A year by day, seven by week, thirty by month: the rows of one table that a person reads."""
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2999, 12, 31)


class BadPeriod(Invalid):
    """`from` must be before `to`, by less than thirty years, in at most 400 periods."""

    key = "bad_period"


class Grain(StrEnum):
    """Length of a period. Weeks are ISO weeks."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Definition:
    """Meaning of a KPI. `people`: its value is masked for small groups."""

    id: str
    version: int
    unit: str
    meaning: str
    people: bool = False


DEFINITIONS: Mapping[str, Definition] = {
    each.id: each
    for each in (
        Definition("questions", 1, "contents", "questions published in the period"),
        Definition("answers", 1, "contents", "answers published in the period"),
        Definition("comments", 1, "contents", "comments published in the period"),
        Definition("discussions", 1, "contents", "discussions published in the period"),
        Definition("announcements", 1, "contents", "announcements published in the period"),
        Definition("flags", 1, "flags", "contents reported in the period, by each who did"),
        Definition("decisions", 1, "decisions", "decisions of rules and moderators in the period"),
        Definition(
            "contributors",
            1,
            "members",
            "members who wrote at least one content in the period; no system account",
            people=True,
        ),
        Definition(
            "questions_answered",
            1,
            "share",
            "of the period's questions, the share that was answered, whenever that was",
        ),
        Definition(
            "hours_to_first_answer",
            1,
            "hours",
            "median wall hours to the first answer, of the period's answered questions",
        ),
    )
}
COUNTED_KPIS = (
    "questions",
    "answers",
    "comments",
    "discussions",
    "announcements",
    "flags",
    "decisions",
)


@dataclass(frozen=True, slots=True)
class Period:
    """A period from its first day to before its end, in the space's time zone."""

    name: str
    begin: date
    end: date


@dataclass(frozen=True, slots=True)
class KpiResult:
    """A KPI's value in a period; None where it is undefined or masked."""

    kpi: str
    grain: Grain
    period: str
    value: float | None
    numerator: float | None
    denominator: float | None
    n: int | None
    status: str
    version: int


@dataclass(frozen=True, slots=True)
class RecordedActivity:
    """Counts by day and kind, the days on which each member wrote, and the questions."""

    counts: Mapping[tuple[date, str], int]
    days_of: Mapping[MemberId, frozenset[date]]
    questions: Sequence[tuple[date, float | None]]
    """Local day of each question, and the hours to its first answer."""


def split_into_periods(begin: date, end: date, grain: Grain) -> list[Period]:
    """Split [begin, end) into periods; the first and the last may be shorter."""
    if begin < FIRST_DAY or end > LAST_DAY:
        raise BadPeriod(begin=begin, end=end)
    if not timedelta() < end - begin < timedelta(days=MAX_RANGE_DAYS):
        raise BadPeriod(begin=begin, end=end)
    periods: list[Period] = []
    day = begin
    while day < end:
        if len(periods) == MAX_PERIODS:
            raise BadPeriod(begin=begin, end=end, most_periods=MAX_PERIODS)
        name, next_day = _period_of_day(day, grain)
        periods.append(Period(name, day, min(next_day, end)))
        day = next_day
    return periods


def _period_of_day(day: date, grain: Grain) -> tuple[str, date]:
    if grain is Grain.DAY:
        return day.isoformat(), day + timedelta(days=1)
    if grain is Grain.WEEK:
        year, week, weekday = day.isocalendar()
        return f"{year}-W{week:02d}", day + timedelta(days=8 - weekday)
    return day.strftime("%Y-%m"), (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def days_of_mask(month: date, mask: int) -> Iterable[date]:
    """List the days of a month whose bits are set in its activity mask."""
    return (month + timedelta(days=bit) for bit in range(31) if mask >> bit & 1)


def compute_kpis(
    activity: RecordedActivity,
    periods: Sequence[Period],
    grain: Grain,
    *,
    time_zone: str,
    now: datetime,
    masked: bool,
) -> list[KpiResult]:
    """Compute every KPI for every period; `masked` suppresses the values about people."""
    figures_by_period = _compute_figures(activity, periods)
    result: list[KpiResult] = []
    for period, figures in zip(periods, figures_by_period, strict=True):
        period_end = datetime.combine(period.end, time(), ZoneInfo(time_zone))
        status = "final" if period_end + LATE_ARRIVAL_PERIOD <= now else "provisional"
        for kpi in DEFINITIONS.values():
            if kpi.people and masked:
                figure, shown_status = _MASKED, "suppressed"
            else:
                figure, shown_status = figures[kpi.id], status
            row = KpiResult(kpi.id, grain, period.name, *figure, shown_status, kpi.version)
            result.append(row)
    return result


KpiFigure = tuple[float | None, float | None, float | None, int | None]
_MASKED: KpiFigure = (None, None, None, None)


def _compute_figures(
    activity: RecordedActivity, periods: Sequence[Period]
) -> list[dict[str, KpiFigure]]:
    """Compute the values of all periods with one pass over the activity."""
    numbers: list[Counter[str]] = [Counter() for _ in periods]
    hours_of: list[list[float | None]] = [[] for _ in periods]
    period_of = _period_finder(periods)
    for (day, kind), number in activity.counts.items():
        if (index := period_of(day)) is not None:
            numbers[index][kind] += number
    for days in activity.days_of.values():
        for index in {period_of(day) for day in days} - {None}:
            numbers[index]["contributors"] += 1  # type: ignore[index]  # None is taken out
    for day, hours in activity.questions:
        if (index := period_of(day)) is not None:
            hours_of[index].append(hours)
    return [_compute_period(*inputs) for inputs in zip(numbers, hours_of, strict=True)]


def _period_finder(periods: Sequence[Period]) -> Callable[[date], int | None]:
    """Return a function that returns the index of a day's period; periods have no gaps."""
    begins = [period.begin for period in periods]

    def period_of(day: date) -> int | None:
        index = bisect_right(begins, day) - 1
        return index if index >= 0 and day < periods[index].end else None

    return period_of


def _compute_period(
    numbers: Counter[str], answer_hours: Sequence[float | None]
) -> dict[str, KpiFigure]:
    answered_hours = [hours for hours in answer_hours if hours is not None]
    share = len(answered_hours) / len(answer_hours) if answer_hours else None
    median_hours = median(answered_hours) if answered_hours else None
    counted_kpis = (*COUNTED_KPIS, "contributors")
    return {
        **{kpi: (numbers[kpi], numbers[kpi], None, numbers[kpi]) for kpi in counted_kpis},
        "questions_answered": (share, len(answered_hours), len(answer_hours), len(answer_hours)),
        "hours_to_first_answer": (median_hours, None, None, len(answered_hours)),
    }


def must_mask(enrolled: int, minors: int) -> bool:
    """Return whether the group is too small to show values about its people."""
    return enrolled < (MIN_PUPILS if minors else MIN_ADULTS)
