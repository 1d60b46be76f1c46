"""Requirements on the shipped rules that the loader does not check."""

from importlib.resources import files

from services.moderation.rules.domain.verdict import POLICIES
from services.moderation.rules.handlers.engine import RuleEngine

NUMBERS = ("3114", "3018", "119")


def test_every_policy_has_a_rule(engine: RuleEngine) -> None:
    assert {compiled.rule.policy for compiled in engine.rules} == set(POLICIES)


def test_a_file_is_named_after_its_rule(engine: RuleEngine) -> None:
    folder = files("services.moderation.rules").joinpath("catalogue")
    names = {file.name for file in folder.iterdir() if file.name.endswith(".toml")}
    assert names == {f"{compiled.rule.id}.toml" for compiled in engine.rules}


def test_a_rule_that_offers_help_names_a_number_to_call(engine: RuleEngine) -> None:
    messages = [r.rule.message for r in engine.rules if r.rule.help]
    assert messages
    for message in messages:
        assert any(number in message.fr and number in message.en for number in NUMBERS)


def test_self_harm_rules_only_review(engine: RuleEngine) -> None:
    verdicts = {r.rule.verdict for r in engine.rules if r.rule.policy == "self_harm"}
    assert verdicts == {"review"}
