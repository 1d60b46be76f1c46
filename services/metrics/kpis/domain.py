"""KPIs: one definition each; periods; what may be shown. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from statistics import median
from zoneinfo import ZoneInfo

from shared.contracts.ids import MemberId
from shared.kit.errors import Invalid

LATE = timedelta(days=35)
"""Live facts may arrive this late; until then a figure is provisional."""
FEWEST_ADULTS = 5
FEWEST_PUPILS = 10
LONGEST_DAYS = 366 * 30
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2999, 12, 31)


class BadPeriod(Invalid):
    """`from` must lie before `to`, by less than thirty years, both between 1900 and 2999."""

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
COUNTED = (
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
class Row:
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
class Activity:
    """What was counted: by day and kind, and the days on which each person wrote."""

    counts: Mapping[tuple[date, str], int]
    days_of: Mapping[MemberId, frozenset[date]]
    questions: Sequence[tuple[date, float | None]]
    """The local day of each question, and the hours to its first answer."""


def periods(begin: date, end: date, grain: Grain) -> list[Period]:
    """Cut [begin, end) into periods; the first and the last may be cut short."""
    if begin < FIRST_DAY or end > LAST_DAY:
        raise BadPeriod(begin=begin, end=end)
    if not timedelta() < end - begin < timedelta(days=LONGEST_DAYS):
        raise BadPeriod(begin=begin, end=end)
    found: list[Period] = []
    day = begin
    while day < end:
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


def rows(
    activity: Activity,
    cut: Sequence[Period],
    grain: Grain,
    *,
    time_zone: str,
    now: datetime,
    hidden: bool,
) -> list[Row]:
    """Compute every KPI for every period; `hidden` masks the figures about people."""
    found: list[Row] = []
    for period in cut:
        ends = datetime.combine(period.end, time(), ZoneInfo(time_zone))
        status = "final" if ends + LATE <= now else "provisional"
        for kpi in DEFINITIONS.values():
            if kpi.people and hidden:
                figure, said = _MASKED, "suppressed"
            else:
                figure, said = _figure(kpi.id, activity, period), status
            found.append(Row(kpi.id, grain, period.name, *figure, said, kpi.version))
    return found


Figure = tuple[float | None, float | None, float | None, int | None]
_MASKED: Figure = (None, None, None, None)


def _figure(kpi: str, activity: Activity, period: Period) -> Figure:
    if kpi in COUNTED:
        n = sum(
            number
            for (day, what), number in activity.counts.items()
            if what == kpi and period.begin <= day < period.end
        )
        return n, n, None, n
    if kpi == "contributors":
        n = sum(
            any(period.begin <= day < period.end for day in days)
            for days in activity.days_of.values()
        )
        return n, n, None, n
    asked = [hours for day, hours in activity.questions if period.begin <= day < period.end]
    answered = [hours for hours in asked if hours is not None]
    if kpi == "questions_answered":
        share = len(answered) / len(asked) if asked else None
        return share, len(answered), len(asked), len(asked)
    middle = median(answered) if answered else None
    return middle, None, None, len(answered)


def must_hide(enrolled: int, minors: int) -> bool:
    """Tell whether the group behind a figure is too small to show figures about its people."""
    return enrolled < (FEWEST_PUPILS if minors else FEWEST_ADULTS)
