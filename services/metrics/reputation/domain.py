"""When the flags of a space raise an alert. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.contracts.ids import AlertId, ContentId, MemberId, SpaceId, StructureId
from shared.contracts.metrics import AlertClosed, AlertRaised
from shared.kit.core.errors import NotFound

ALERT_WINDOW = timedelta(minutes=15)
MIN_FLAGS = 5
MIN_MEMBERS = 3


class AlertNotFound(NotFound):
    """There is no such alert, or none that this member may see."""

    key = "alert_not_found"


@dataclass(frozen=True, slots=True)
class Flag:
    """A member's report of a content; `at` is event time."""

    content_id: ContentId
    member_id: MemberId
    at: datetime


AlertSortKey = tuple[bool, datetime, AlertId]
"""Sort key in the list: whether the alert is closed, when it was raised, its id."""


@dataclass(frozen=True, slots=True)
class Alert:
    """An unusual number of flags in a space."""

    alert_id: AlertId
    space_id: SpaceId
    structure_id: StructureId
    raised_at: datetime
    window_begin: datetime
    window_end: datetime
    observed: int
    people: int
    first_content_id: ContentId
    most_content_id: ContentId
    what: str = "flags"
    closed_at: datetime | None = None

    @classmethod
    def from_fact(cls, fact: AlertRaised, at: datetime) -> "Alert":
        """Rebuild an alert from the fact that published it."""
        return cls(
            alert_id=fact.alert_id,
            space_id=fact.space_id,
            structure_id=fact.structure_id,
            raised_at=at,
            window_begin=fact.window_begin,
            window_end=fact.window_end,
            observed=fact.observed,
            people=fact.people,
            first_content_id=fact.first_content_id,
            most_content_id=fact.most_content_id,
            what=fact.what,
        )

    @property
    def sort_key(self) -> AlertSortKey:
        """Return the key of the list's order: open alerts first, then the newest."""
        return self.closed_at is not None, self.raised_at, self.alert_id

    def to_raised_fact(self) -> AlertRaised:
        """Return the fact that the alert was raised."""
        return AlertRaised(
            alert_id=self.alert_id,
            what=self.what,
            space_id=self.space_id,
            structure_id=self.structure_id,
            window_begin=self.window_begin,
            window_end=self.window_end,
            observed=self.observed,
            people=self.people,
            first_content_id=self.first_content_id,
            most_content_id=self.most_content_id,
        )

    def to_closed_fact(self, member_id: MemberId) -> AlertClosed:
        """Return the fact that the alert was closed."""
        return AlertClosed(
            alert_id=self.alert_id,
            space_id=self.space_id,
            structure_id=self.structure_id,
            closed_by=member_id,
        )


def detect_alert(
    flags: Sequence[Flag],
    alert_id: AlertId,
    space_id: SpaceId,
    structure_id: StructureId,
    now: datetime,
) -> Alert | None:
    """Return an alert if enough members flagged within the window that ends with the last flag."""
    if not flags:
        return None
    end = max(flag.at for flag in flags)
    recent = sorted(
        (flag for flag in flags if flag.at > end - ALERT_WINDOW), key=lambda flag: flag.at
    )
    people = len({flag.member_id for flag in recent})
    if len(recent) < MIN_FLAGS or people < MIN_MEMBERS:
        return None
    most, _ = Counter(flag.content_id for flag in recent).most_common(1)[0]
    return Alert(
        alert_id=alert_id,
        space_id=space_id,
        structure_id=structure_id,
        raised_at=now,
        window_begin=end - ALERT_WINDOW,
        window_end=end,
        observed=len(recent),
        people=people,
        first_content_id=recent[0].content_id,
        most_content_id=most,
    )
