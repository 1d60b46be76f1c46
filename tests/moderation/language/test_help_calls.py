"""Calls for help in many words, and everyday phrases that resemble them."""

import pytest

from services.moderation.rules.handlers.engine import RuleEngine


@pytest.mark.parametrize(
    "text",
    [
        "je veux vraiment mourir",
        "j'ai trop envie de mourir",
        "g tro envi 2 mourrir",
        "jvx mourir",
        "je v me tuer",
        "Si je disparaissais ça ne changerait rien pour personne.",
        "vous serez tous mieux sans moi",
        "J'ai écrit ma lettre d’adieu.",
        "je vais sauter du pont ce soir",
        "je vais me jeter sous un train",
        "Je me suis encore coupé les bras hier soir.",
        "J'ai avalé des médicaments de ma mère.",
        "J'ai pris une corde, je suis dans ma chambre.",
        "la vie vaut pas la peine, adieu tout le monde",
        "jpeux plus, j'en peux plus de vivre",
        "j'aurais préféré ne jamais naître",
        "à quoi bon vivre",
        "i dont wanna be alive anymore",
        "im gonna kill myself",
        "i took all the pills",
    ],
)
def test_call_for_help_in_other_words_is_reviewed(engine: RuleEngine, text: str) -> None:
    verdict = engine.screen(text).verdict
    assert verdict.verdict == "review"
    assert "self_harm_call" in verdict.help


@pytest.mark.parametrize(
    "text",
    [
        "je veux pas mourir de froid",
        "On va en finir avec ce chapitre",
        "je vais sauter du plongeoir",
        "je vais sauter dans le train de 8h",
        "je me suis coupé les cheveux",
        "Selon Camus la vie n'a aucun sens",
        "La vie vaut la peine d'être vécue",
        "Vous irez mieux sans moi pour le projet",
        "J'ai pris des médicaments contre le rhume",
    ],
)
def test_an_everyday_phrase_is_no_call_for_help(engine: RuleEngine, text: str) -> None:
    assert engine.screen(text).verdict.verdict in ("pass", "note")


@pytest.mark.parametrize(
    "text",
    [
        "Ils ont tagué pédé sur mon casier",
        "On a gravé sale juif sur ma table hier",
        "Tu crois que c'est normal qu'il me dise ferme ta gueule sale pute ?",
        "Avant-hier j'ai trouvé un mot dans mon sac : on va te tuer",
        "J'ai reçu un message sur mon casier : sale pute",
        "ma cousine a peur, son ex lui dit qu'il va la buter",
        "Qu'ils m'écrivent sale pute, ça me fait peur",
        "un mec veut que je me déshabille en cam",
        "Elle m'a forcée à lui envoyer une photo de moi sans habits.",
    ],
)
def test_victim_reporting_an_attack_is_offered_help(engine: RuleEngine, text: str) -> None:
    verdict = engine.screen(text).verdict
    assert verdict.verdict == "review"
    assert verdict.help


@pytest.mark.parametrize(
    "text",
    [
        "t'es grave pédé sur la photo",
        "On a marqué t'es une pute sur ton casier et t'es une pute",
        "J'ai un mot dans mon sac pour toi : t'es une pute",
        "J'ai trouvé un mot dans mon sac : merci. Et toi t'es une pute",
        "t'as qu'à crever",
        "J'te jure que j'te bute",
        "bande de mongols",
        "Arrête de parler espèce de déchet",
        "on va te tomber dessus à 18h",
    ],
)
def test_same_words_used_as_attack_are_not_passed(engine: RuleEngine, text: str) -> None:
    assert engine.screen(text).verdict.verdict in ("review", "hide")
