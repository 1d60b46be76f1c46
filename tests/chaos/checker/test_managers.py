"""Recipients of an alert: the managers of its structure when it was raised."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from shared.contracts import example_data
from shared.kit.tools.reconcile.event import Event
from tests.chaos.checker.managers import (
    ALERT_RAISED,
    ROLE_GRANTED,
    ROLE_REVOKED,
    STRUCTURE_OPENED,
    ManagerHistory,
)

TENANT, ALERT = str(UUID(int=1)), UUID(int=99)
NOON = example_data.NOON
TimedEvent = tuple[str, int, dict[str, Any]]


def at(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


def granted(minute: int, structure: str = "school", until: int | None = None) -> TimedEvent:
    ends = {} if until is None else {"until": at(until).isoformat()}
    return ROLE_GRANTED, minute, {**_duty(structure), **ends}


def revoked(minute: int, structure: str = "school") -> TimedEvent:
    return ROLE_REVOKED, minute, _duty(structure)


def _duty(structure: str) -> dict[str, Any]:
    return {"member_id": "hamid", "role": "community_manager", "structure_id": structure}


OPEN: TimedEvent = (STRUCTURE_OPENED, -60, {"structure_id": "school", "path": ["academy"]})
RAISE: TimedEvent = (ALERT_RAISED, 0, {"structure_id": "school", "alert_id": "al-1"})


def recipients(*facts: TimedEvent, origin: Any = "live") -> list[str]:
    managing = ManagerHistory()
    for kind, minute, data in facts:
        event = Event(
            id=ALERT,
            type=kind,
            source="/preau/test",
            subject="",
            time=at(minute),
            tenant=UUID(TENANT),
            partitionkey="",
            sequence="1",
            recordedtime=at(minute),
            correlationid="",
            origin=origin,
            data=msgspec.Raw(b""),
        )
        managing.apply(event, data)
    return [key.split(":")[1] for key, _ in managing.expected_notifications()]


@pytest.mark.parametrize(
    "facts",
    [
        (granted(-5), RAISE),
        (RAISE, granted(-5)),
        (granted(-5, "academy"), RAISE, OPEN),
        (granted(-5, until=1), RAISE),
        (granted(-5), revoked(1), RAISE),
        (granted(-9), revoked(-7), granted(-5), RAISE),
        (granted(0), RAISE),
        (granted(-9, until=-8), granted(-9), RAISE),
    ],
)
def test_manager_at_alert_time_is_notified_once(facts: tuple[TimedEvent, ...]) -> None:
    assert recipients(*facts) == ["hamid"]


@pytest.mark.parametrize(
    "facts",
    [
        (RAISE,),
        (granted(1), RAISE),
        (granted(-5), revoked(0), RAISE),
        (granted(-5), RAISE, revoked(-1)),
        (granted(-5, until=0), RAISE),
        (granted(-9), granted(-5, until=-4), RAISE),
        (granted(-5, "academy"), RAISE),
        (granted(-5, "other"), OPEN, RAISE),
        ((ROLE_GRANTED, -5, _duty("school") | {"role": "teacher"}), RAISE),
    ],
)
def test_other_members_are_not_notified(facts: tuple[TimedEvent, ...]) -> None:
    assert recipients(*facts) == []


def test_an_imported_alert_tells_nobody() -> None:
    assert recipients(granted(-5), RAISE, origin="import") == []
