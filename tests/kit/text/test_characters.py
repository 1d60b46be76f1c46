import pytest

from shared.kit.text.characters import (
    is_blank,
    is_plain_text,
    is_time_zone,
    is_visible_line,
    mail_address_key,
)


@pytest.mark.parametrize(
    "text", ["", " ", "\n\t ", "\u00a0\u3000", "\u200b\u200d\ufeff", "\u2060\u00ad", "\u3164\ufe0f"]
)
def test_text_without_visible_characters_is_blank(text: str) -> None:
    assert is_blank(text)


@pytest.mark.parametrize("text", ["é", " . ", "👩\u200d🚀", "\U0001fae9", "李", "\u0301", "\ue000"])
def test_text_with_a_visible_character_is_not_blank(text: str) -> None:
    assert not is_blank(text)


@pytest.mark.parametrize("name", ["Europe/Paris", "Indian/Reunion", "UTC", "Asia/Calcutta"])
def test_names_of_the_iana_database_are_time_zones(name: str) -> None:
    assert is_time_zone(name)


@pytest.mark.parametrize(
    "name", ["localtime", "posixrules", "Factory", "posix/UTC", "europe/paris", "", "../UTC"]
)
def test_other_names_are_no_time_zones(name: str) -> None:
    assert not is_time_zone(name)


@pytest.mark.parametrize(
    ("spelling", "other_spelling"),
    [
        ("ZOE@Demo.example", "zoe@demo.example"),
        ("Él@x.fr", "éL@X.FR"),
        ("WEISS@x.de", "weiß@x.de"),
    ],
)
def test_spellings_of_an_address_have_one_key(spelling: str, other_spelling: str) -> None:
    assert mail_address_key(spelling) == mail_address_key(other_spelling)
    assert mail_address_key(spelling) != mail_address_key(f"a{other_spelling}")


@pytest.mark.parametrize(
    "name",
    [
        "Zoé Le Goff",
        "O’Neill",
        "李 小龍",
        "\u0645\u06cc\u200c\u062e",
        "क्\u200dष",
        "👩🏽\u200d🚀",
        "1\ufe0f\u20e3 ❤\ufe0f",
        "Noël\u00a0Le Bris",
        "葛\U000e0100飾",
        "e\u0301",
    ],
)
def test_name_of_any_script_is_accepted(name: str) -> None:
    assert is_visible_line(name)


@pytest.mark.parametrize(
    "letter",
    [
        "\x1b",
        "\n",
        "\t",
        "\x7f",
        "\x85",
        "\xad",
        "\u200b",
        "\u200c",
        "\u200d",
        "\u200e",
        "\u202e",
        "\u2028",
        "\u2066",
        "\ufeff",
        "\ufe0f",
        "\ue000",
        "\ud800",
        "\u034f",
        "\u3164",
        "\U000e0041",
        "\U000e0100",
    ],
)
@pytest.mark.parametrize("shape", ["Zo{}é", "{}Zoé", "Zoé{}", "Zoé 😀{}", "😀\ufe0f{}"])
def test_name_with_an_invisible_character_is_rejected(letter: str, shape: str) -> None:
    name = shape.format(letter)
    if letter in "\ufe0f\U000e0100" and shape == "Zoé 😀{}":
        assert is_visible_line(name), "an emoji may have a variation selector"
    else:
        assert not is_visible_line(name)


def test_text_may_have_lines_but_no_control_characters() -> None:
    assert is_plain_text("Une\tligne\r\net une autre 🏴\U000e0067\U000e007f \u200f")
    assert not any(is_plain_text(f"a{letter}") for letter in "\x00\x08\x0b\x1b\x7f\x9f\ud800")
