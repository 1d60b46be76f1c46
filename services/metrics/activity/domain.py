"""Which events are counted, and on which local day. Pure."""

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
    """An event that is counted; `author` is set if the event counts its author as active."""

    tenant: TenantId
    space_id: SpaceId
    what: str
    at: datetime
    author: MemberId | None = None


DayCounts = Counter[tuple[TenantId, SpaceId, date, str]]
MonthMasks = dict[tuple[TenantId, SpaceId, MemberId, date], int]


def local_day(moment: datetime, time_zone: str) -> date:
    """Return the day of a time in a time zone."""
    return moment.astimezone(ZoneInfo(time_zone)).date()


def count_by_day(
    events: Iterable[ActivityEvent], spaces: Mapping[tuple[TenantId, SpaceId], Space]
) -> tuple[DayCounts, MonthMasks]:
    """Count events by local day, and set the bits of each member's active days (bit 0: the 1st)."""
    counts: DayCounts = Counter()
    masks: MonthMasks = {}
    for event in events:
        day = local_day(event.at, spaces[event.tenant, event.space_id].time_zone)
        counts[event.tenant, event.space_id, day, event.what] += 1
        if event.author is not None:
            key = (event.tenant, event.space_id, event.author, day.replace(day=1))
            masks[key] = masks.get(key, 0) | 1 << (day.day - 1)
    return counts, masks
