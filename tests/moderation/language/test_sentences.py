"""Test sentences by kind: rules were developed on even lines, odd lines are only measured.

`told`: victims and witnesses; `attacks`: the same words used as an attack. `innocent`: lessons,
names, animals, everyday phrases; `aimed`: similar phrases that attack.
"""

from pathlib import Path

import pytest

from services.moderation.rules.handlers.engine import RuleEngine

FOLDER = Path(__file__).parent / "sentences"
ENOUGH = 150
MILD = ("pass", "note", "review")
ACTS = ("review", "hide")
PASSES = ("pass", "note")


def sentences(name: str, half: int) -> list[str]:
    """Return one half of the lines of a file: 0 for development, 1 for measurement."""
    return (FOLDER / f"{name}.txt").read_text("utf-8").splitlines()[half::2]


@pytest.mark.parametrize("name", ["told", "attacks", "innocent", "aimed"])
def test_each_kind_has_enough_sentences_and_none_twice(name: str) -> None:
    lines = [*sentences(name, 0), *sentences(name, 1)]
    assert len(lines) >= ENOUGH
    assert len(set(lines)) == len(lines)


@pytest.mark.parametrize(
    ("name", "verdicts", "half", "share"),
    [
        ("told", MILD, 0, 1.0),
        ("told", MILD, 1, 0.96),
        ("told", ("review",), 0, 0.96),
        ("told", ("review",), 1, 0.85),
        ("attacks", ACTS, 0, 1.0),
        ("attacks", ACTS, 1, 0.98),
        ("innocent", MILD, 0, 1.0),
        ("innocent", MILD, 1, 0.98),
        ("innocent", PASSES, 0, 0.9),
        ("innocent", PASSES, 1, 0.85),
        ("aimed", ACTS, 0, 1.0),
        ("aimed", ACTS, 1, 0.98),
    ],
)
def test_verdicts_meet_the_required_share_in_both_halves(
    engine: RuleEngine, name: str, verdicts: tuple[str, ...], half: int, share: float
) -> None:
    lines = sentences(name, half)
    wrong = [line for line in lines if engine.screen(line).verdict.verdict not in verdicts]
    assert len(wrong) <= (1 - share) * len(lines) + 1e-9, wrong


def test_victims_are_offered_help(engine: RuleEngine) -> None:
    lines = sentences("told", 0)
    offered = sum(bool(engine.screen(line).verdict.help) for line in lines)
    assert offered >= 0.9 * len(lines)


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("Je me fais traiter de salope", "review"),
        ("Je me fais traiter de salope, et toi t'es une grosse pute", "hide"),
        ("Il m'a dit bonjour", "pass"),
        ("Il m'a dit: bonjour. T'es une pute", "hide"),
        ("on dit que t'es une pute", "review"),
        ("Je te dis que t'es une pute", "hide"),
        ("Elle m'a traitée de menteuse et c'est une pute", "hide"),
        ("T'es une pute, il m'a dit", "review"),
        ("T'es une pute. Il m'a dit bonjour", "hide"),
        ("Tu me dis bonjour et moi je te dis nique ta mère", "hide"),
        ("Elle m'a dit salut et toi t'es qu'une pute", "hide"),
        ("Il m'a dit que t'es une pute et je suis d'accord", "review"),
        ("Je me suis pris un sale arabe dans la rue", "review"),
        ("Il a écrit sur le groupe que ma sœur est une pute", "review"),
        ("À la récré ils chantent Léa la grosse truie et moi je pleure", "review"),
        ("Sale pute écrit sur mon casier", "review"),
        ("Ils ont créé un compte qui s'appelle grosse vache avec ma photo", "review"),
    ],
)
def test_a_report_is_no_loophole(engine: RuleEngine, text: str, verdict: str) -> None:
    assert engine.screen(text).verdict.verdict == verdict
