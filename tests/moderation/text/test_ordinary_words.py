"""Ordinary French and English that careless lists take for abuse."""

import pytest

from services.moderation.text.domain.analysis import TextAnalyser

ORDINARY = """
Je mets le couvert : mettre la table, sauter à la corde, baiser la main de la dame.
Le concert commence, le concierge condamne la porte, un conte, une console, la Connecticut.
La chienne du voisin a mis bas ; la chatte dort ; le cochon, la truie et la vache sont au pré.
Elle pédale vite : la pédale de frein est cassée.
Je suis en retard, tu arrives avec du retard.
Les pros and cons de cette méthode.
Un nègre littéraire a écrit ce livre.
La traînée de l'avion, une ordure ménagère, un clochard céleste, un singe au zoo.
Ce pain bâtard est bon ; une langue bâtarde.
Le Mongol et la Mongolie ; Nikolaï Gogol.
Le juif et le musulman, l'Arabe et le Noir vivent ensemble.
C'est sale. Juif ou non, il nettoie.
J'ai envie de mourir de rire. Ce film va te tuer de rire.
Je vais me tuer à la tâche.
Je t'attends à la sortie de la gare.
Va te coucher, va te faire belle, fais-toi plaisir.
Personne ne t'a vu ; tout le monde te salue.
La bitte d'amarrage et le pain de mie.
Il tue le temps, il fume une cigarette, il plante un arbre.
Le cul-de-sac, la culture, le calcul, la cucurbitacée.
Le tacle, la tactique, les gouttes, la goélette.
I had a bite to eat, and the tit flew away.
Die Hard is on at eight; this could just die down.
There is a chink in the armour. I cut myself shaving.
The class assassin assessed the grass in Scunthorpe, Sussex.
"""


@pytest.mark.parametrize("text", ORDINARY.strip().splitlines())
def test_ordinary_words_are_no_hits(analyser: TextAnalyser, text: str) -> None:
    assert [hit.form for hit in analyser.analyse(text).hits] == []


@pytest.mark.parametrize(
    ("text", "hint", "hits"),
    [
        ("retard", "fr", 0),
        ("retard", "en", 1),
        ("retard", None, 0),
        ("you are a retard and you know it", "fr", 1),
        ("con", None, 1),
        ("con", "en", 0),
        ("bite", "en", 0),
    ],
)
def test_a_word_that_is_ordinary_elsewhere_needs_its_language(
    analyser: TextAnalyser, text: str, hint: str | None, hits: int
) -> None:
    assert len(analyser.analyse(text, language_hint=hint).hits) == hits
