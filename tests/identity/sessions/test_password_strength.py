"""Guessable passwords, and the time for estimating the longest ones."""

import asyncio
import random
import time

import pytest

from services.identity.sessions.domain import (
    PasswordRepeats,
    PasswordTooShort,
    check_password,
    normalise_password,
)
from services.identity.sessions.store.password_strength import (
    MAX_ESTIMATED_CHARACTERS,
    ZxcvbnEstimator,
)

WORDS = (
    "Camille Le Goff",
    "camille.le.goff.12345678",
    "camille.0192837465abcdef0192837465abcdef@exemple.fr",
    "Académie de démonstration",
    "academie-de-demonstration",
)


@pytest.mark.parametrize(
    "password",
    [
        "123456789012",
        "azertyuiopqs",
        "motdepasse123",
        "Motdepasse2024!",
        "m0tdep@sse123",
        "bonjourbonjour",
        "abcdefghijkl",
        "Azerty123456",
        "CamilleLeGoff",
        "camille le goff 2010",
        "camille.0192837465abcdef0192837465abcdef@exemple.fr",
        "Camille.0192837465abcdef0192837465abcdef@exemple.fr1",
        "Académie de Démonstration",
        "academiededemonstration",
        "ACADEMIE-DE-DEMONSTRATION1",
        "noitartsnomed-ed-eimedaca",
        "password password",
        "123456789012" * 9,
    ],
)
def test_common_or_personal_password_is_guessable(password: str) -> None:
    assert ZxcvbnEstimator().is_guessable_blocking(password, WORDS)


@pytest.mark.parametrize(
    "password",
    [
        "tournesol vélo brume 7",
        "les crêpes au beurre",
        "correct horse battery staple",
        "Un long mot de passe 🗝",
        "xK9-vr2-QmL7",
        "мой длинный пароль",
        "長い合言葉は安全ですよね本当",
        "camille mange douze brioches",
    ],
)
def test_password_of_unrelated_words_passes(password: str) -> None:
    check_password(password)
    assert not ZxcvbnEstimator().is_guessable_blocking(password, WORDS)


def test_longest_password_is_estimated_in_bounded_time() -> None:
    random_signs = random.Random(7)
    signs = "({4@8[<369!1|0$5+7%2abe"
    hostile = [
        "".join(random_signs.choices(signs, k=1000)),
        "({4@8[<369!1|0$5+7%2" * 50,
        "aA1!" * 250,
        "a" * 1000,
        "123" * 333,
        "camille" * 140,
    ]
    estimator = ZxcvbnEstimator()
    for password in hostile:
        began = time.process_time()
        estimator.is_guessable_blocking(password, WORDS)
        assert time.process_time() - began < 3, password[:MAX_ESTIMATED_CHARACTERS]


async def test_concurrent_estimates_do_not_mix_their_words() -> None:
    estimator = ZxcvbnEstimator()
    pairs = [("gwenaelle morvan", ["Gwenaëlle Morvan"]), ("gwenaelle morvan", ["Yann"])] * 10
    verdicts = await asyncio.gather(*(estimator.is_guessable(*pair) for pair in pairs))
    await estimator.close()
    assert verdicts == [True, False] * 10


@pytest.mark.parametrize(
    "password", ["", "onze lettre", "\u200b" * 12, "a\u0301b" * 5 + "c", "abcd" + "\u2060" * 20]
)
def test_password_of_fewer_than_twelve_visible_characters_is_refused(password: str) -> None:
    with pytest.raises(PasswordTooShort):
        check_password(password)


@pytest.mark.parametrize("password", [" " * 12, "a" * 12, "aAaAaAaAaAaA", "abcabcabcabc"])
def test_password_of_three_different_characters_is_refused(password: str) -> None:
    with pytest.raises(PasswordRepeats):
        check_password(password)


def test_composed_and_decomposed_letters_give_the_same_password() -> None:
    assert normalise_password("e\u0301te\u0301") == normalise_password("\u00e9t\u00e9")
