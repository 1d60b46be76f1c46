"""Mail addresses in pasted texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kit.text.characters import mail_address_key
from shared.kit.text.mail_addresses import extract_mail_address

CAMILLE = "camille@exemple.fr"


@pytest.mark.parametrize(
    "pasted",
    [
        CAMILLE,
        "camille@exemple.fr;",
        "camille@exemple.fr, ",
        " camille@exemple.fr.",
        "<camille@exemple.fr>",
        "<camille@exemple.fr>;",
        "Camille Martin <camille@exemple.fr>",
        '"Martin, Camille" <camille@exemple.fr>,',
        "mailto:camille@exemple.fr",
        "MAILTO:camille@exemple.fr?subject=Bonjour",
        "<mailto:camille@exemple.fr>",
        "Courriel : camille@exemple.fr",
        "(camille@exemple.fr)",
        "« camille@exemple.fr »",
        "\u201ccamille@exemple.fr\u201d",
        "camille\u200b@exemple.fr",
        "\ufeffcamille@ex\u00ademple.fr\u200e",
        "camille\u2060@exemple\u034f.fr",
        "camille\uff20exemple\uff0efr",
        "\u00a0camille@exemple.fr\u00a0\n",
    ],
)
def test_address_is_extracted_from_pasted_text(pasted: str) -> None:
    assert extract_mail_address(pasted) == CAMILLE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "camille",
        "@exemple.fr",
        "camille@",
        "camille@exemple",
        "camille@exemple..fr",
        ".camille@exemple.fr",
        "camille.@exemple.fr",
        "camille@exemple.fr; zoe@exemple.fr",
        "camille@exemple.fr,zoe@exemple.fr",
        "camille@exemple.fr zoe@exemple.fr",
        "<camille@exemple.fr> <zoe@exemple.fr>",
        "camille @exemple.fr",
        "camille@@exemple.fr",
        "camille@zoe@exemple.fr",
        "camille,martin@exemple.fr",
        "camille\u0001@exemple.fr",
        "camille@exemple.fr/ecole",
        "camille@-exemple.fr",
        "camille@127.0.0.1",
        "camille@[127.0.0.1]",
        "camille@exemple_ecole.fr",
        "camille@exemple.fr\u0000",
        "c" * 65 + "@exemple.fr",
        "camille@" + "e" * 64 + ".fr",
        "camille@" + "e." * 130 + "fr",
    ],
)
def test_text_without_exactly_one_address_is_rejected(text: str) -> None:
    assert extract_mail_address(text) is None


@pytest.mark.parametrize(
    "address",
    ["Éloïse.Weiß+école@münchen.example", "o'neil_x@sub.ac-rennes.fr", "山田@例え.テスト"],
)
def test_address_of_any_script_is_unchanged(address: str) -> None:
    assert extract_mail_address(address) == address


@given(st.text(max_size=60) | st.text("a@.<>;: \u200b\u00e9e\u0301", max_size=30))
def test_extraction_is_idempotent(text: str) -> None:
    address = extract_mail_address(text)
    if address is not None:
        assert extract_mail_address(address) == address
        assert mail_address_key(address) == mail_address_key(
            extract_mail_address(f"<{address}>;") or ""
        )
