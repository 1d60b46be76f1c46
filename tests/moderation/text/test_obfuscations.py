# ruff: noqa: RUF001  letters that are taken for others are the subject

import pytest

from services.moderation.text.domain.analysis import TextAnalyser

DISGUISED = {
    "leet": "c0nn4rd",
    "leet with signs": "$@lope",
    "one for l": "sa1ope",
    "spaced letters": "c o n n a r d",
    "dotted letters": "s.a.l.o.p.e",
    "dashed leet": "c-0-n-n-a-r-d",
    "spaced words": "f i l s  d e  p u t e",
    "letters of the neighbours": "y a c o n n a r d",
    "zero width": "con\u200bnard",
    "soft hyphen": "con\u00adnard",
    "filler": "con\u3164nard",
    "Cyrillic": "соnnаrd",
    "Greek": "cοnnαrd",
    "circled": "🅒🅞🅝🅝🅐🅡🅓",
    "regional indicators": "🇨🇴🇳🇳🇦🇷🇩",
}
RESTYLED = {
    "capitals": "CoNnArD",
    "accents": "cönñàrd",
    "combining marks": "co\u0301nnard",
    "repeats": "connaaaaaard",
    "repeats of a double": "connnnnnard",
    "stars": "c*nn*rd",
    "script": "𝓬𝓸𝓷𝓷𝓪𝓻𝓭",
    "full width": "ｃｏｎｎａｒｄ",
    "attached": "#niquetamère",
    "elided": "t'enculé",
    "an ellipsis": "va te... faire... foutre",
}


@pytest.mark.parametrize("written", DISGUISED.values(), ids=DISGUISED)
def test_disguised_insult_is_matched_as_disguised(analyser: TextAnalyser, written: str) -> None:
    text = f"Salut, {written} !"
    (hit,) = analyser.analyse(text).hits
    assert hit.category == "insult"
    assert hit.disguised
    assert hit.span.of(text) in text.replace("y a ", "")


@pytest.mark.parametrize("written", RESTYLED.values(), ids=RESTYLED)
def test_restyled_insult_is_matched_and_not_disguised(analyser: TextAnalyser, written: str) -> None:
    hits = analyser.analyse(f"Salut, {written} !").hits
    assert [hit.category for hit in hits] == ["insult"]
    assert not hits[0].disguised


@pytest.mark.parametrize(
    "text",
    [
        "Le MP3 est en H264, la B2B aussi, et le 4x4 de la 3e5.",
        "Il y a à Paris un a b c d e f g complet.",
        "Rendez-vous à 10h30, salle B12, au 1er étage.",
        "C.Q.F.D., S.N.C.F., R.A.T.P., S.V.P.",
        "a * b * c = d, et 2*3*4 = 24",
        "Ouiiiiii, trooooop bien, merciiiii !!!!",
        "Пушкин писал стихи, Όμηρος aussi.",
        "👨‍👩‍👧‍👦 et 🏳️‍🌈 et 👍🏽",
    ],
)
def test_ordinary_signs_hide_nothing(analyser: TextAnalyser, text: str) -> None:
    assert analyser.analyse(text).hits == ()


def test_lone_surrogate_and_null_are_ordinary_characters(analyser: TextAnalyser) -> None:
    text = "\ud83d \x00 « a.b » 06 connard \udfff"
    (hit,) = analyser.analyse(text).hits
    assert hit.span.of(text) == "connard"
