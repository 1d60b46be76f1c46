import pytest

from shared.kit.text import address_key, is_blank, is_time_zone


@pytest.mark.parametrize(
    "text", ["", " ", "\n\t ", "\u00a0\u3000", "\u200b\u200d\ufeff", "\u2060\u00ad", "\u3164\ufe0f"]
)
def test_what_nobody_can_see_is_blank(text: str) -> None:
    assert is_blank(text)


@pytest.mark.parametrize("text", ["é", " . ", "👩\u200d🚀", "\U0001fae9", "李", "\u0301", "\ue000"])
def test_what_somebody_can_see_is_not(text: str) -> None:
    assert not is_blank(text)


@pytest.mark.parametrize("name", ["Europe/Paris", "Indian/Reunion", "UTC", "Asia/Calcutta"])
def test_names_of_the_database_are_time_zones(name: str) -> None:
    assert is_time_zone(name)


@pytest.mark.parametrize(
    "name", ["localtime", "posixrules", "Factory", "posix/UTC", "europe/paris", "", "../UTC"]
)
def test_what_lies_in_a_machines_folder_is_none(name: str) -> None:
    assert not is_time_zone(name)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("ZOE@Demo.example", "zoe@demo.example"),
        ("Él@x.fr", "éL@X.FR"),
        ("WEISS@x.de", "weiß@x.de"),
    ],
)
def test_an_address_is_one_however_it_is_written(one: str, two: str) -> None:
    assert address_key(one) == address_key(two)
    assert address_key(one) != address_key(f"a{two}")
