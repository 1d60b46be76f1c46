"""KPIs: one definition each; periods; what may be shown. Pure."""

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
"""Live facts may arrive this late; until then a figure is provisional."""
MIN_ADULTS = 5
MIN_PUPILS = 10
MAX_RANGE_DAYS = 366 * 30
MAX_PERIODS = 400
"""A year by day, seven by week, thirty by month: about as many rows as anybody reads at once."""
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2999, 12, 31)


class BadPeriod(Invalid):
    """`from` must lie before `to`, by less than thirty years, in at most 400 periods."""

    key = "bad_period"


class Grain(StrEnum):
    """How long a period is. Weeks are ISO weeks."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Definition:
    """What a KPI is. `people`: a figure about few people, that is masked."""

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
    """From its first day to before its end, in the space's own zone."""

    name: str
    begin: date
    end: date


@dataclass(frozen=True, slots=True)
class KpiResult:
    """One figure. `value` is None where nothing can be said, or nothing may be."""

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
    """What was counted: by day and kind, and the days on which each person wrote."""

    counts: Mapping[tuple[date, str], int]
    days_of: Mapping[MemberId, frozenset[date]]
    questions: Sequence[tuple[date, float | None]]
    """The local day of each question, and the hours to its first answer."""


def split_into_periods(begin: date, end: date, grain: Grain) -> list[Period]:
    """Cut [begin, end) into periods; the first and the last may be cut short."""
    if begin < FIRST_DAY or end > LAST_DAY:
        raise BadPeriod(begin=begin, end=end)
    if not timedelta() < end - begin < timedelta(days=MAX_RANGE_DAYS):
        raise BadPeriod(begin=begin, end=end)
    found: list[Period] = []
    day = begin
    while day < end:
        if len(found) == MAX_PERIODS:
            raise BadPeriod(begin=begin, end=end, most_periods=MAX_PERIODS)
        name, following = _period(day, grain)
        found.append(Period(name, day, min(following, end)))
        day = following
    return found


def _period(day: date, grain: Grain) -> tuple[str, date]:
    if grain is Grain.DAY:
        return day.isoformat(), day + timedelta(days=1)
    if grain is Grain.WEEK:
        year, week, weekday = day.isocalendar()
        return f"{year}-W{week:02d}", day + timedelta(days=8 - weekday)
    return day.strftime("%Y-%m"), (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def days_of_mask(month: date, mask: int) -> Iterable[date]:
    """List the days that a month's activity mask marks."""
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
    """Compute every KPI for every period; `hidden` masks the figures about people."""
    figures_by_period = _figures(activity, periods)
    result: list[KpiResult] = []
    for period, figures in zip(periods, figures_by_period, strict=True):
        ends = datetime.combine(period.end, time(), ZoneInfo(time_zone))
        status = "final" if ends + LATE_ARRIVAL_PERIOD <= now else "provisional"
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


def _figures(activity: RecordedActivity, cut: Sequence[Period]) -> list[dict[str, KpiFigure]]:
    """Compute the figures of each period, with one pass over what was counted."""
    numbers: list[Counter[str]] = [Counter() for _ in cut]
    hours_of: list[list[float | None]] = [[] for _ in cut]
    period_of = _period_finder(cut)
    for (day, kind), number in activity.counts.items():
        if (index := period_of(day)) is not None:
            numbers[index][kind] += number
    for days in activity.days_of.values():
        for index in {period_of(day) for day in days} - {None}:
            numbers[index]["contributors"] += 1  # type: ignore[index]  # None is taken out
    for day, hours in activity.questions:
        if (index := period_of(day)) is not None:
            hours_of[index].append(hours)
    return [_figures_of(*each) for each in zip(numbers, hours_of, strict=True)]


def _period_finder(cut: Sequence[Period]) -> Callable[[date], int | None]:
    """Return a function from a day to the index of its period; periods have no gap."""
    begins = [period.begin for period in cut]

    def period_of(day: date) -> int | None:
        index = bisect_right(begins, day) - 1
        return index if index >= 0 and day < cut[index].end else None

    return period_of


def _figures_of(numbers: Counter[str], asked: Sequence[float | None]) -> dict[str, KpiFigure]:
    answered = [hours for hours in asked if hours is not None]
    share = len(answered) / len(asked) if asked else None
    middle = median(answered) if answered else None
    counted = (*COUNTED_KPIS, "contributors")
    return {
        **{kpi: (numbers[kpi], numbers[kpi], None, numbers[kpi]) for kpi in counted},
        "questions_answered": (share, len(answered), len(asked), len(asked)),
        "hours_to_first_answer": (middle, None, None, len(answered)),
    }


def must_mask(enrolled: int, minors: int) -> bool:
    """Return whether the group behind a figure is too small to show figures about its people."""
    return enrolled < (MIN_PUPILS if minors else MIN_ADULTS)
