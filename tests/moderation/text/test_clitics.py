"""French clitics are normalised to one spelling with any apostrophe, and keep their spans."""

# ruff: noqa: RUF001  apostrophes that are taken for others are the subject

import pytest

from services.moderation.text.domain.analysis import TextAnalyser

READ = {
    "jvais t'défoncer": "je vais te defoncer",
    "j'te bute": "je te bute",
    "jte bute": "je te bute",
    "chuis fatigué": "je suis fatigue",
    "va t'faire voir": "va te faire voir",
    "j vé te voir": "je vais te voir",
    "t’es un ange": "t es un ange",
    "t un ange": "t es un ange",
    "tes une star": "t es une star",
    "té trop fort": "t es trop fort",
    "fils 2 roi": "fils de roi",
    "je t'aime et j'ai faim": "je t aime et j ai faim",
    "il te trompe, tes mains et ta tête": "il te trompe tes mains et ta tete",
    "un fichier jpeg et json": "un fichier jpeg et json",
    "jvé te tué": "je vais te tuer",
    "jvais tbuter": "je vais te buter",
    "c'que j'veux": "ce que je veux",
}
APOSTROPHES = "'’‘ʼ`´′ʹʻˈ＇‛"


@pytest.mark.parametrize(("written", "read"), READ.items())
def test_a_clitic_is_read_in_standard_spelling(
    analyser: TextAnalyser, written: str, read: str
) -> None:
    assert analyser.analyse(written).normalised.text.strip() == read


@pytest.mark.parametrize("apostrophe", APOSTROPHES)
@pytest.mark.parametrize("verb", ["égorger", "étrangler", "exploser"])
def test_a_listed_verb_is_found_behind_any_apostrophe(
    analyser: TextAnalyser, apostrophe: str, verb: str
) -> None:
    text = f"Demain on va t{apostrophe}{verb} !"
    (hit,) = analyser.analyse(text).hits
    assert (hit.category, hit.span.of(text)) == ("threat", f"on va t{apostrophe}{verb}")


@pytest.mark.parametrize("text", ["jvais tegorger", "jvai t egorger", "je vais te égorger"])
def test_a_listed_verb_is_found_without_its_apostrophe(analyser: TextAnalyser, text: str) -> None:
    (hit,) = analyser.analyse(text).hits
    assert (hit.category, hit.span.of(text)) == ("threat", text)
