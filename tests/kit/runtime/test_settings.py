"""Settings: typed, prefixed, explained; a wrong one is named."""

from typing import ClassVar

import pytest
from pydantic import Field

from shared.kit.core.settings import SettingError
from shared.kit.runtime.settings import Settings


class CanteenSettings(Settings):
    PREFIX: ClassVar[str] = "CANTEEN_"

    seats: int = Field(default=120, gt=0, description="how many may eat at once")


ENOUGH = {
    "CANTEEN_DATABASE_URL": "postgresql://canteen_app:hunter2@db/canteen",
    "CANTEEN_RELAY_URL": "postgresql://canteen_relay:hunter2@db/canteen",
    "PREAU_JWKS_URL": "http://identity/jwks.json",
}


def test_a_service_reads_its_own_and_the_shared_ones() -> None:
    read = CanteenSettings.from_environment(
        {**ENOUGH, "CANTEEN_SEATS": "80", "HOME": "/root", "OTHER_X": "1"}
    )
    assert (read.seats, read.jwks_url) == (80, "http://identity/jwks.json")
    assert read.trace_sample == pytest.approx(0.1)


def test_its_own_goes_before_the_shared_one_and_an_empty_one_is_not_set() -> None:
    both = {**ENOUGH, "PREAU_ISSUER": "https://shared", "CANTEEN_ISSUER": "https://own"}
    assert CanteenSettings.from_environment(both).issuer == "https://own"
    assert (
        CanteenSettings.from_environment({**both, "CANTEEN_ISSUER": ""}).issuer == "https://shared"
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"CANTEEN_RELAY_URL": ""}, ["CANTEEN_RELAY_URL", "sees the outbox", "missing"]),
        ({"CANTEEN_SEATS": "many"}, ["CANTEEN_SEATS", "how many may eat", "integer"]),
        ({"CANTEEN_SEATS": "0"}, ["CANTEEN_SEATS", "greater than 0"]),
        ({"CANTEEN_TRACE_SAMPLE": "2"}, ["CANTEEN_TRACE_SAMPLE", "0 to 1", "less than"]),
        ({"CANTEEN_SEETS": "80"}, ["CANTEEN_SEETS", "no such setting", "CANTEEN_SEATS"]),
    ],
)
def test_what_is_not_right_is_named_with_its_meaning(
    changes: dict[str, str], told: list[str]
) -> None:
    with pytest.raises(SettingError) as refused:
        CanteenSettings.from_environment({**ENOUGH, **changes})
    assert all(word in str(refused.value) for word in told)


def test_the_owners_url_may_stand_there_though_only_migrations_use_it() -> None:
    assert CanteenSettings.from_environment(
        {**ENOUGH, "CANTEEN_OWNER_URL": "postgresql://o@db/c"}
    ).owner_url


def test_passwords_are_never_shown() -> None:
    assert "hunter2" not in repr(CanteenSettings.from_environment(ENOUGH))
    with pytest.raises(SettingError) as refused:
        CanteenSettings.from_environment({**ENOUGH, "CANTEEN_SEATS": "hunter2"})
    assert "hunter2" not in str(refused.value)
