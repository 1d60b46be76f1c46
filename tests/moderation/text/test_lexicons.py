import pytest

from services.moderation.text.domain.analysis import TextAnalyser
from services.moderation.text.domain.lexicon import LexiconRefused, expand_choices, parse_lexicon
from services.moderation.text.handlers.open_analyser import load_folding_table, load_lexicon_entries

HEAD = 'language = "fr"\n[[entry]]\n'
SOUND = 'category = "insult"\nweight = 0.5\nforms = ["con"]\n'


def test_every_shipped_form_is_found_by_its_own_list(analyser: TextAnalyser) -> None:
    missed = [
        entry.form
        for entry in load_lexicon_entries()
        if entry.category
        and not entry.phrases
        and not analyser.analyse(entry.form, language_hint=entry.language).hits
    ]
    # Innocent phrases override them only inside a longer text.
    assert missed == []


def test_a_choice_is_written_once() -> None:
    assert list(expand_choices("(je vais|on va) te (tuer|)")) == [
        "je vais te tuer", "je vais te", "on va te tuer", "on va te",
    ]  # fmt: skip


def test_longest_phrase_wins(analyser: TextAnalyser) -> None:
    assert [hit.form for hit in analyser.analyse("fils de pute").hits] == ["fils de pute"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("language = [", "fr.toml: file"),
        ("", "name its language"),
        (HEAD + SOUND.replace("insult", "rude"), "entry 1 (con): category is one of insult"),
        (HEAD + SOUND.replace("0.5", "2.0"), "weight is a number above 0"),
        (HEAD + SOUND.replace('["con"]', "[]"), "forms is a list of words"),
        (HEAD + SOUND + 'colour = "red"', "unknown field colour"),
        (HEAD + SOUND + "[[entry]]\n" + SOUND, "con: is listed twice"),
    ],
)
def test_invalid_list_is_refused_by_file_and_entry(source: str, expected: str) -> None:
    with pytest.raises(LexiconRefused) as refused:
        parse_lexicon("fr.toml", source)
    assert expected in str(refused.value)
    assert str(refused.value).startswith("fr.toml: ")


PHRASES = '[classes]\nkin = "papa|maman"\n' + '[[entry]]\ncategory = "danger"\nweight = 0.9\n'


def test_phrase_with_choices_matches_each_variant() -> None:
    source = (
        'language = "fr"\n' + PHRASES + 'phrases = ["{kin} .. me (tape|frappe) (très |)fort"]\n'
    )
    analyser = TextAnalyser(parse_lexicon("fr.toml", source), load_folding_table())
    for text in ("Papa me tape fort", "maman, souvent, me frappe très fort"):
        (hit,) = analyser.analyse(text).hits
        assert (hit.category, hit.span.of(text)) == ("danger", text)
    assert not analyser.analyse("Papa dort. On me tape fort.").hits


@pytest.mark.parametrize(
    ("phrases", "expected"),
    [
        ('["{kith} dort"]', "there is no class {kith}"),
        ('["(papa|maman"]', "a phrase holds words"),
        ('["papa.*"]', "a phrase holds words"),
        ('"papa"', "give forms or phrases"),
    ],
)
def test_invalid_phrase_is_refused_by_entry(phrases: str, expected: str) -> None:
    with pytest.raises(LexiconRefused, match=r"^fr\.toml: entry 1") as refused:
        parse_lexicon("fr.toml", f'language = "fr"\n{PHRASES}phrases = {phrases}\n')
    assert expected in str(refused.value)
