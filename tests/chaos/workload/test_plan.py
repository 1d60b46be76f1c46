"""The seed alone decides the planned actions."""

from itertools import islice

from shared.contracts.identity import Role
from tests.chaos.workload.actions.all_actions import ACTIONS, DEFAULT_VERB, FALLBACK_VERBS
from tests.chaos.workload.plan import VERBS, WRONG, PlannedAction, plan_actions
from tests.chaos.workload.texts import INSULTS, random_text


def first(number: int, seed: int = 7, name: str = "academy/zoe") -> list[PlannedAction]:
    return list(islice(plan_actions(seed, name, Role.PUPIL), number))


def essence(actions: list[PlannedAction]) -> list[tuple[str, float, str]]:
    return [(action.verb, action.pause, random_text(action.rng).body) for action in actions]


def test_same_seed_plans_same_actions() -> None:
    assert essence(first(500)) == essence(first(500))


def test_other_seed_or_person_plans_other_actions() -> None:
    other_plans = (first(50, seed=8), first(50, name="lycee-2/zoe"))

    assert all(essence(other) != essence(first(50)) for other in other_plans)


def test_draws_of_one_action_change_no_other() -> None:
    drawn = first(20)
    for _ in range(1000):
        drawn[3].rng.random()

    assert essence(drawn)[4:] == essence(first(20))[4:]
    assert essence(drawn)[3] != essence(first(20))[3]


def test_the_mean_pause_is_one() -> None:
    pauses = [action.pause for action in first(5000)]

    assert 0.95 < sum(pauses) / len(pauses) < 1.05


def test_every_planned_verb_has_an_action() -> None:
    planned_verbs = {verb for verbs in VERBS.values() for verb in verbs}

    assert planned_verbs == set(ACTIONS)
    assert {*FALLBACK_VERBS, *FALLBACK_VERBS.values(), DEFAULT_VERB} <= planned_verbs
    assert set(WRONG) <= {verb for verb in planned_verbs if verb.startswith("wrong_")}


def test_few_planned_actions_are_invalid() -> None:
    verbs = [action.verb for action in first(3000)]
    wrong = sum(verb.startswith("wrong_") for verb in verbs) / len(verbs)

    assert 0.02 < wrong < 0.1


def test_texts_are_french_and_some_are_moderated() -> None:
    texts = [random_text(action.rng) for action in first(3000)]
    insults = sum(any(insult in text.body for insult in INSULTS) for text in texts)

    assert 0.02 < insults / len(texts) < 0.1
    assert all(
        text.may_be_moderated for text in texts if any(insult in text.body for insult in INSULTS)
    )
    all_text = "".join(text.body for text in texts)
    assert all(sign in all_text for sign in "éèçœÎ’«🎉")
    unmoderated = [text.body for text in texts if not text.may_be_moderated]
    assert len(set(unmoderated)) > 0.95 * len(unmoderated)
