import pytest

from services.moderation.text.domain.analysis import TextAnalyser
from services.moderation.text.domain.markup import text_of_html
from services.moderation.text.domain.quotations import find_quotations


@pytest.mark.parametrize(
    "text",
    [
        "Que veut dire « salope » ici ?",
        "Que veut dire “salope” ici ?",
        'Que veut dire "salope" ici ?',
        "Que veut dire `salope` ici ?",
        "Que veut dire 'salope' ici ?",
        "Que veut dire ‘salope’ ici ?",  # noqa: RUF001
        "Que veut dire „salope“ ici ?",
        "Que veut dire ‹salope› ici ?",  # noqa: RUF001
        "Que veut dire 'c'est l'autre salope' ici ?",
        "```\nsalope\n```",
        "> salope\nQue répondre à cela ?",
        "Le mot salope est-il vulgaire ?",
        "How do I translate salope?",
        "Salope signifie autre chose en 1600.",
        "Il m'a traitée de salope hier",
        "Ils m'ont écrit que je suis une salope",
        "She called me a bitch",
    ],
)
def test_a_word_spoken_about_is_mentioned(analyser: TextAnalyser, text: str) -> None:
    (hit,) = analyser.analyse(text).hits
    assert hit.mentioned


@pytest.mark.parametrize(
    "text",
    [
        "Tu n'es qu'une salope",
        "L'élève d'à côté, quelle salope aujourd'hui",
        "Tu connais le mot ? Salope !",
        "Il m'a dit bonjour. Salope !",
        'un " égaré, salope',
        "« salope",
        "C'est l'heure d'dire qu'une salope c'est l'autre",
        "L'ami d’hier et l’autre salope de l’an dernier",
    ],
)
def test_a_word_said_is_used(analyser: TextAnalyser, text: str) -> None:
    (hit,) = analyser.analyse(text).hits
    assert not hit.mentioned


@pytest.mark.parametrize(
    ("text", "aimed"),
    [
        ("Tu es un connard", True),
        ("Connard !", True),
        ("espèce de connard", True),
        ("You know, asshole", True),
        ("Hier le directeur a parlé à un connard dans la rue devant nous", False),
        ("Tu viens ? Hier un vieux connard criait dans la cour du collège", False),
    ],
)
def test_word_is_aimed_when_a_person_is_addressed(
    analyser: TextAnalyser, text: str, *, aimed: bool
) -> None:
    (hit,) = analyser.analyse(text).hits
    assert hit.aimed is aimed


def test_a_quote_is_short_and_stays_on_its_line() -> None:
    assert find_quotations('"' + "a" * 400 + '"') == ()
    assert find_quotations('un " puis\nun autre "') == ()


def test_code_and_quotes_do_not_shout(analyser: TextAnalyser) -> None:
    html = (
        "<p>Voici :</p><pre><code>SELECT NOM FROM ELEVES</code></pre><p>et <code>UPDATE</code></p>"
    )
    assert analyser.analyse(text_of_html(html)).capitals_share < 0.3
    quote = "<blockquote><p>POURQUOI PERSONNE NE RÉPOND</p></blockquote><p>répond-il</p>"
    assert analyser.analyse(text_of_html(quote)).capitals_share == 0
    assert analyser.analyse("POURQUOI PERSONNE NE RÉPOND JAMAIS").capitals_share == 1
    assert analyser.analyse("OK MERCI").capitals_share == 0


def test_html_becomes_visible_text() -> None:
    html = (
        "<p>Un &amp; deux<br>trois</p><script>alert('x')</script>"
        "<blockquote><p>cité\nencore</p></blockquote><ul><li>a</li><li>b</li></ul><p>c <b>d"
    )
    assert text_of_html(html) == "Un & deux\ntrois\n> cité encore\na\nb\nc d"


def test_links_have_a_domain_and_contain_no_words(analyser: TextAnalyser) -> None:
    reading = analyser.analyse(
        "Voir https://www.Exemple.fr:8080/salope?a=b, [x](http://autre.org/con) ou bit.ly/connard"
    )
    assert [link.domain for link in reading.links] == ["exemple.fr", "autre.org", "bit.ly"]
    assert reading.hits == ()
