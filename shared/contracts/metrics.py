"""Facts that metrics publishes: alerts on a community's reputation."""

from datetime import timedelta
from typing import ClassVar, Self

from shared.contracts import example_data
from shared.contracts.event import Fact, Instant
from shared.contracts.ids import AlertId, ContentId, MemberId, SpaceId, StructureId


class AlertRaised(Fact, frozen=True, kw_only=True):
    """An unusual number of events happened in a space; a manager should look at it.

    `observed` events by `people` different members are in the window; its ends are event times.
    """

    WIRE: ClassVar = "metrics.alert.raised"
    TOPIC: ClassVar = "metrics.alert"
    KEY: ClassVar = "alert_id"
    SUBJECT: ClassVar = "alert_id"

    alert_id: AlertId
    what: str
    space_id: SpaceId
    structure_id: StructureId
    window_begin: Instant
    window_end: Instant
    observed: int
    people: int
    first_content_id: ContentId
    most_content_id: ContentId

    @classmethod
    def example(cls) -> Self:
        return cls(
            alert_id=example_data.ALERT,
            what="flags",
            space_id=example_data.SPACE,
            structure_id=example_data.COLLEGE,
            window_begin=example_data.NOON - timedelta(minutes=15),
            window_end=example_data.NOON,
            observed=5,
            people=3,
            first_content_id=example_data.QUESTION,
            most_content_id=example_data.ANSWER,
        )


class AlertClosed(Fact, frozen=True, kw_only=True):
    """A manager looked at an alert and closed it; the space can raise the next one."""

    WIRE: ClassVar = "metrics.alert.closed"
    TOPIC: ClassVar = "metrics.alert"
    KEY: ClassVar = "alert_id"
    SUBJECT: ClassVar = "alert_id"

    alert_id: AlertId
    space_id: SpaceId
    structure_id: StructureId
    closed_by: MemberId

    @classmethod
    def example(cls) -> Self:
        return cls(
            alert_id=example_data.ALERT,
            space_id=example_data.SPACE,
            structure_id=example_data.COLLEGE,
            closed_by=example_data.HAMID,
        )


PUBLISHES: tuple[type[Fact], ...] = (AlertRaised, AlertClosed)
