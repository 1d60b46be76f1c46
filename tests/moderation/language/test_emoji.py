"""Emoji that are abusive alone, combined, or next to a person; other emoji pass."""

import pytest

from services.moderation.rules.handlers.engine import RuleEngine

HURT = [
    "🖕",
    "🖕🏿 toi",
    "toi 🐷🐷",
    "t'es une grosse 🐷",
    "Espèce de 🐍",
    "Léa 🤮",
    "toi 💩",
    "toi 🔪🔪",
    "je vais te 🔪",
    "💀🔫 toi demain",
    "va te 🪢",
    "T'es un 🐒",
    "Mamadou 🐒🍌",
    "Rentre chez toi 🐒",
    "🏳️‍🌈🤮",
    "🇩🇿🤮",
    "tu veux 🍆💦 ?",
    "Envoie 🍑💦",
    "🇨🇴🇳🇳🇦🇷🇩",
]
ORDINARY = [
    "Regarde le 🐷 à la ferme",
    "Prends le 🔪 pour couper les carottes",
    "Mort de rire 💀💀",
    "tu viens au resto ? 🍽🔪",
    "Recette de la ratatouille : 🍆🍅🧅",
    "Le singe mange une banane 🐒🍌",
    "🏳️‍🌈❤️",
    "Allez les 🇫🇷 et les 🇹🇬 !",
    "T'es malade ? 🤮",
    "Je suis malade 🤢",
    "👍🏽 👨‍👩‍👧‍👦 bravo",
    "tu es trop fort 🔥💪",
    "Bon anniversaire 🐷🎂",
    "Halloween 💀🔪🎃",
    "jeu de pirates ☠️⚔️",
]


@pytest.mark.parametrize("text", HURT)
def test_abusive_emoji_are_reviewed_or_hidden(engine: RuleEngine, text: str) -> None:
    assert engine.screen(text).verdict.verdict in ("review", "hide")


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_emoji_pass(engine: RuleEngine, text: str) -> None:
    assert engine.screen(text).verdict.verdict == "pass"


@pytest.mark.parametrize("variant", ["🖕", "🖕🏻", "🖕🏿", "🖕\ufe0f", "🖕🏽\ufe0f"])
def test_every_variant_of_an_emoji_matches(engine: RuleEngine, variant: str) -> None:
    text = f"Salut toi {variant}"
    (hit,) = engine.screen(text).hits
    assert (hit.category, hit.weight, hit.span.of(text)) == ("insult", 0.8, variant)


def test_emoji_sent_to_the_author_is_reported_speech(engine: RuleEngine) -> None:
    screening = engine.screen("Elle m'a envoyé 🔪 toi")
    assert screening.verdict.verdict == "review"
    assert screening.verdict.help == ("threat_told",)
