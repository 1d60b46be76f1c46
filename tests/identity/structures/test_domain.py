import pytest

from services.identity.structures.domain import Structure, UnknownTimeZone, check_time_zone
from shared.contracts.example_data import ACADEMY, COLLEGE, TENANT

SCHOOL = Structure(
    TENANT, COLLEGE, "school", "Collège de La Réunion 🏝", "Indian/Reunion", ACADEMY, (ACADEMY,)
)


def test_ancestry_ends_with_the_structure() -> None:
    assert SCHOOL.ancestry == (ACADEMY, COLLEGE)


@pytest.mark.parametrize("zone", ["Europe/Paris", "Indian/Reunion", "Pacific/Noumea", "UTC"])
def test_known_time_zones_are_accepted(zone: str) -> None:
    assert check_time_zone(zone) == zone


@pytest.mark.parametrize("zone", ["", "Paris", "europe/paris", "../etc/passwd", "Europe/Pâris"])
def test_unknown_time_zone_error_names_it(zone: str) -> None:
    with pytest.raises(UnknownTimeZone) as caught:
        check_time_zone(zone)
    assert caught.value.facts == {"time_zone": zone}
