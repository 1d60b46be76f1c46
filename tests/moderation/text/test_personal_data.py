import pytest

from services.moderation.text.domain.analysis import TextAnalyser
from services.moderation.text.domain.masking import mask_text

TRUE = [
    ("nir", "2 95 10 99 126 111 93"),
    ("nir", "295109912611193"),
    ("nir", "2.95.10.99.126.111.93"),
    ("nir", "2\u00a095\u00a010\u00a099\u00a0126\u00a0111\u00a093"),
    ("iban", "FR76 3000 6000 0112 3456 7890 189"),
    ("iban", "fr7630006000011234567890189"),
    ("iban", "DE89370400440532013000"),
    ("siret", "732 829 320 00074"),
    ("phone", "06 12 34 56 78"),
    ("phone", "06.12.34.56.78"),
    ("phone", "0612345678"),
    ("phone", "+33 (0)6 12 34 56 78"),
    ("phone", "+32 475 12 34 56"),
    ("email", "lea.martin+cours@exemple.fr"),
    ("email", "lea (at) exemple (point) fr"),
    ("address", "12 bis, rue des Lilas, 35000 Rennes"),
    ("address", "3 place de la République"),
    ("address", "221B Baker Street"),
]
FALSE = [
    "2 95 10 99 126 111 94",
    "FR76 3000 6000 0112 3456 7890 188",
    "732 829 320 00075",
    "le 3018, le 3114 et le 0800 123 456",
    "pi vaut 3.14159265358979 et e 2,0612345678",
    "2021-08-19 12:34:56.789",
    "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15",
    "3 cours de maths, 2 place libre, 12 rues de Paris",
    "@lea et @tom",
]


@pytest.mark.parametrize(("kind", "written"), TRUE)
def test_personal_data_is_matched_with_its_span(
    analyser: TextAnalyser, kind: str, written: str
) -> None:
    text = f"Voilà 🙂 : {written}, merci bien."
    (match,) = analyser.analyse(text).personal_data
    assert (match.kind, match.span.of(text)) == (kind, written)


@pytest.mark.parametrize("text", FALSE)
def test_a_number_with_wrong_check_digits_is_no_personal_data(
    analyser: TextAnalyser, text: str
) -> None:
    assert analyser.analyse(text).personal_data == ()


def test_iban_match_excludes_the_words_after_it(analyser: TextAnalyser) -> None:
    text = "FR76 3000 6000 0112 3456 7890 189 merci a vous"
    (match,) = analyser.analyse(text).personal_data
    assert match.span.of(text).endswith("189")


def test_personal_data_is_masked_and_other_text_stays(analyser: TextAnalyser) -> None:
    text = "J'habite 12 rue des Lilas, appelle le 06 12 34 56 78 ; SIRET 732 829 320 00074"
    shown = mask_text(analyser.analyse(text))
    assert shown == "J'habite ████████████████, appelle le ██████████████ ; SIRET 732 829 320 00074"


def test_address_without_resident_is_not_masked(analyser: TextAnalyser) -> None:
    assert "█" not in mask_text(analyser.analyse("Le musée est au 12 rue de Rivoli."))


def test_slur_is_masked_when_used_not_when_mentioned(analyser: TextAnalyser) -> None:
    assert mask_text(analyser.analyse("espèce de sale pédé")) == "espèce de █████████"
    assert "█" not in mask_text(analyser.analyse("Le mot « pédé » est injurieux."))
