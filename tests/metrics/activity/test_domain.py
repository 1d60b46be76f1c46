from datetime import date
from uuid import UUID

import pytest

from services.metrics.activity.domain import COUNTER_NAMES, ActivityEvent, count_by_day, local_day
from shared.contracts.community import ContentKind
from shared.contracts.example_data import HAMID, SPACE, TENANT, ZOE
from shared.contracts.ids import TenantId
from tests.metrics.builders import a_space, moment

OTHER_TENANT = TenantId(UUID(int=9))


@pytest.mark.parametrize(
    ("at", "zone", "day"),
    [
        ("2026-11-30T19:59:59", "Indian/Reunion", "2026-11-30"),
        ("2026-11-30T20:00:00", "Indian/Reunion", "2026-12-01"),
        ("2026-12-31T23:00:00", "Europe/Paris", "2027-01-01"),
        ("2026-12-31T22:59:59", "Europe/Paris", "2026-12-31"),
        ("2026-07-31T22:00:00", "Europe/Paris", "2026-08-01"),
        ("2026-03-01T03:59:59", "America/Martinique", "2026-02-28"),
        ("2026-01-01T00:00:00", "UTC", "2026-01-01"),
    ],
)
def test_day_is_the_local_day_of_the_space(at: str, zone: str, day: str) -> None:
    assert local_day(moment(at), zone) == date.fromisoformat(day)


def test_every_kind_of_content_has_a_counter() -> None:
    assert set(COUNTER_NAMES) == set(ContentKind)
    assert len(set(COUNTER_NAMES.values())) == len(COUNTER_NAMES)


def test_contents_are_counted_and_members_marked_by_day() -> None:
    events = [
        ActivityEvent(TENANT, SPACE, "comments", moment("2026-11-30T19:00:00"), ZOE),
        ActivityEvent(TENANT, SPACE, "comments", moment("2026-11-30T19:30:00"), ZOE),
        ActivityEvent(TENANT, SPACE, "questions", moment("2026-11-30T20:00:00"), ZOE),
        ActivityEvent(TENANT, SPACE, "comments", moment("2026-11-01T08:00:00"), HAMID),
        ActivityEvent(TENANT, SPACE, "flags", moment("2026-11-01T08:00:00")),
    ]
    counts, masks = count_by_day(events, {(TENANT, SPACE): a_space("Indian/Reunion")})
    november, december = date(2026, 11, 1), date(2026, 12, 1)
    assert counts == {
        (TENANT, SPACE, date(2026, 11, 30), "comments"): 2,
        (TENANT, SPACE, december, "questions"): 1,
        (TENANT, SPACE, november, "comments"): 1,
        (TENANT, SPACE, november, "flags"): 1,
    }
    assert masks == {
        (TENANT, SPACE, ZOE, november): 1 << 29,
        (TENANT, SPACE, ZOE, december): 1,
        (TENANT, SPACE, HAMID, november): 1,
    }


def test_same_space_id_in_two_tenants_is_counted_separately() -> None:
    at = moment("2026-11-30T20:00:00")
    spaces = {(TENANT, SPACE): a_space("Indian/Reunion"), (OTHER_TENANT, SPACE): a_space("UTC")}
    counts, _ = count_by_day(
        [ActivityEvent(tenant, SPACE, "flags", at) for tenant, _ in spaces], spaces
    )
    assert set(counts) == {
        (TENANT, SPACE, date(2026, 12, 1), "flags"),
        (OTHER_TENANT, SPACE, date(2026, 11, 30), "flags"),
    }
