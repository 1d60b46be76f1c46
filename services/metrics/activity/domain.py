"""What is counted, and on which day. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from services.metrics.dimensions.domain import Space
from shared.contracts.community import ContentKind
from shared.contracts.ids import MemberId, SpaceId, TenantId

COUNTER_NAMES: Mapping[ContentKind, str] = {
    ContentKind.QUESTION: "questions",
    ContentKind.ANSWER: "answers",
    ContentKind.COMMENT: "comments",
    ContentKind.DISCUSSION: "discussions",
    ContentKind.ANNOUNCEMENT: "announcements",
}


@dataclass(frozen=True, slots=True)
class ActivityEvent:
    """Something that counts: what, where, when, and by whom when people are counted by it."""

    tenant: TenantId
    space_id: SpaceId
    what: str
    at: datetime
    author: MemberId | None = None


DayCounts = Counter[tuple[TenantId, SpaceId, date, str]]
MonthMasks = dict[tuple[TenantId, SpaceId, MemberId, date], int]


def local_day(moment: datetime, time_zone: str) -> date:
    """Return the day of a moment where it happened."""
    return moment.astimezone(ZoneInfo(time_zone)).date()


def count_by_day(
    events: Iterable[ActivityEvent], spaces: Mapping[tuple[TenantId, SpaceId], Space]
) -> tuple[DayCounts, MonthMasks]:
    """Count by day, and mark each person's days of the month (bit 0 is the first)."""
    counts: DayCounts = Counter()
    masks: MonthMasks = {}
    for each in events:
        day = local_day(each.at, spaces[each.tenant, each.space_id].time_zone)
        counts[each.tenant, each.space_id, day, each.what] += 1
        if each.author is not None:
            place = (each.tenant, each.space_id, each.author, day.replace(day=1))
            masks[place] = masks.get(place, 0) | 1 << (day.day - 1)
    return counts, masks
