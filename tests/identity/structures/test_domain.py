import pytest

from services.identity.structures.domain import Structure, UnknownTimeZone, check_time_zone
from shared.contracts.cast import ACADEMY, COLLEGE, TENANT

SCHOOL = Structure(
    TENANT, COLLEGE, "school", "Collège de La Réunion 🏝", "Indian/Reunion", ACADEMY, (ACADEMY,)
)


def test_the_line_ends_with_the_structure_itself() -> None:
    assert SCHOOL.ancestry == (ACADEMY, COLLEGE)


@pytest.mark.parametrize("zone", ["Europe/Paris", "Indian/Reunion", "Pacific/Noumea", "UTC"])
def test_zones_of_the_database_are_taken(zone: str) -> None:
    assert check_time_zone(zone) == zone


@pytest.mark.parametrize("zone", ["", "Paris", "europe/paris", "../etc/passwd", "Europe/Pâris"])
def test_any_other_zone_is_refused_by_name(zone: str) -> None:
    with pytest.raises(UnknownTimeZone) as caught:
        check_time_zone(zone)
    assert caught.value.facts == {"time_zone": zone}
