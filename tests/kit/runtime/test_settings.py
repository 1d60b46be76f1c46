"""Service settings: prefixes, defaults, and errors that name the variable."""

from typing import ClassVar

import pytest
from pydantic import Field

from shared.kit.core.settings import SettingError
from shared.kit.runtime.settings import Settings


class CanteenSettings(Settings):
    PREFIX: ClassVar[str] = "CANTEEN_"

    seats: int = Field(default=120, gt=0, description="how many may eat at once")


REQUIRED = {
    "CANTEEN_DATABASE_URL": "postgresql://canteen_app:hunter2@db/canteen",
    "CANTEEN_RELAY_URL": "postgresql://canteen_relay:hunter2@db/canteen",
    "PREAU_JWKS_URL": "http://identity/jwks.json",
}


def test_service_reads_its_own_and_the_shared_variables() -> None:
    settings = CanteenSettings.from_environment(
        {**REQUIRED, "CANTEEN_SEATS": "80", "HOME": "/root", "OTHER_X": "1"}
    )
    assert (settings.seats, settings.jwks_url) == (80, "http://identity/jwks.json")
    assert settings.trace_sample == pytest.approx(0.1)


def test_own_variable_precedes_shared_and_empty_counts_as_unset() -> None:
    both = {**REQUIRED, "PREAU_ISSUER": "https://shared", "CANTEEN_ISSUER": "https://own"}
    assert CanteenSettings.from_environment(both).issuer == "https://own"
    assert (
        CanteenSettings.from_environment({**both, "CANTEEN_ISSUER": ""}).issuer == "https://shared"
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"CANTEEN_RELAY_URL": ""}, ["CANTEEN_RELAY_URL", "sees the outbox", "missing"]),
        ({"CANTEEN_SEATS": "many"}, ["CANTEEN_SEATS", "how many may eat", "integer"]),
        ({"CANTEEN_SEATS": "0"}, ["CANTEEN_SEATS", "greater than 0"]),
        ({"CANTEEN_TRACE_SAMPLE": "2"}, ["CANTEEN_TRACE_SAMPLE", "0 to 1", "less than"]),
        ({"CANTEEN_SEETS": "80"}, ["CANTEEN_SEETS", "no such setting", "CANTEEN_SEATS"]),
    ],
)
def test_wrong_variable_is_named_with_its_meaning(
    changes: dict[str, str], words: list[str]
) -> None:
    with pytest.raises(SettingError) as caught:
        CanteenSettings.from_environment({**REQUIRED, **changes})
    assert all(word in str(caught.value) for word in words)


def test_owner_url_of_migrations_is_accepted() -> None:
    assert CanteenSettings.from_environment(
        {**REQUIRED, "CANTEEN_OWNER_URL": "postgresql://o@db/c"}
    ).owner_url


def test_passwords_are_hidden_in_repr_and_errors() -> None:
    assert "hunter2" not in repr(CanteenSettings.from_environment(REQUIRED))
    with pytest.raises(SettingError) as caught:
        CanteenSettings.from_environment({**REQUIRED, "CANTEEN_SEATS": "hunter2"})
    assert "hunter2" not in str(caught.value)
