from datetime import date, timedelta

import cel
import pytest

from services.moderation.rules.domain.condition import Condition
from services.moderation.rules.domain.evaluation import evaluate_rules
from services.moderation.rules.domain.facts import ActivityCounts, Facts
from services.moderation.rules.domain.rule import CompiledRule, parse_rule
from services.moderation.rules.domain.verdict import RuleRef, Verdict
from services.moderation.rules.handlers.engine import RuleEngine
from tests.moderation.rules.builders import a_rule

DAY = date(2026, 9, 1)


def compiled(name: str, **changes: str) -> CompiledRule:
    return parse_rule("a.toml", a_rule(id=f'"{name}"', when='"words >= 0"', **changes))


def test_with_no_rule_a_text_passes() -> None:
    assert evaluate_rules(Facts(), [], on=DAY) == Verdict("pass", 0.0)


def test_the_strictest_verdict_and_the_surest_score_win() -> None:
    rules = [
        compiled("sure", score="0.9", verdict='"note"', policy='"shouting"', reason='"loud"'),
        compiled("strict", score="0.4", verdict='"hide"'),
        compiled("mild", verdict='"review"'),
    ]
    assert evaluate_rules(Facts(), rules, on=DAY) == Verdict(
        verdict="hide",
        score=0.9,
        rules=(RuleRef("strict", 1), RuleRef("mild", 1), RuleRef("sure", 1)),
        policies=("spam", "shouting"),
        reasons=("sales", "loud"),
    )


def test_help_names_the_reasons_whose_message_offers_help() -> None:
    rules = [compiled("plain"), compiled("call", help="true", reason='"call"', score="0.9")]
    verdict = evaluate_rules(Facts(), rules, on=DAY)
    assert (verdict.reasons, verdict.help) == (("call", "sales"), ("call",))


def test_a_rule_decides_until_its_last_day() -> None:
    rule = compiled("brief", expires="2026-09-01")
    assert evaluate_rules(Facts(), [rule], on=DAY).verdict == "review"
    assert evaluate_rules(Facts(), [rule], on=DAY + timedelta(days=1)).verdict == "pass"


def test_a_rule_on_trial_is_named_and_decides_nothing() -> None:
    verdict = evaluate_rules(Facts(), [compiled("trial", mode='"shadow"')], on=DAY)
    assert verdict == Verdict(shadow=(RuleRef("trial", 1),))


def test_failing_rule_is_named_and_other_rules_apply() -> None:
    broken = compiled("broken")
    bad = CompiledRule(broken.rule, Condition("words > 'a'", cel.compile("words > 'a'")))
    verdict = evaluate_rules(Facts(), [bad, compiled("other")], on=DAY)
    assert (verdict.rules, verdict.failed) == ((RuleRef("other", 1),), (RuleRef("broken", 1),))


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("Bonjour à tous, comment accorde-t-on le participe passé ?", "pass"),
        ("POURQUOI PERSONNE NE ME RÉPOND JAMAIS", "note"),
        ("Le mot « salope » est-il vulgaire ?", "pass"),
        ("Tu es une « salope »", "review"),
        ("T'es con", "review"),
        ("Quelle salope celle-là", "hide"),
        ("q u e l  c o n n a r d", "hide"),
        ("J'ai envie de mourir", "review"),
        ("Va te pendre", "hide"),
        ("Je vais te tuer", "hide"),
        ("Mon IBAN : FR76 3000 6000 0112 3456 7890 189", "hide"),
        ("Appelle-moi : 06 12 34 56 78", "review"),
        ("kys", "hide"),
        ("Elle m'a traité de gros porc, j'en peux plus", "review"),
        ("On m'a dit que t'es une salope", "review"),
        ("J'ai envie de mourir, ces connards me harcèlent tous les jours au lycée", "review"),
        ("Mon père me frappe, c'est un gros connard", "review"),
        ("J'ai envie de mourir et toi t'es une grosse pute", "hide"),
        ("", "pass"),
    ],
)
def test_texts_meet_the_verdict_they_should(engine: RuleEngine, text: str, verdict: str) -> None:
    assert engine.screen(text).verdict.verdict == verdict


def test_a_call_for_help_is_never_hidden_and_gives_a_number_to_call(engine: RuleEngine) -> None:
    screening = engine.screen("Je veux mourir, je vais me suicider")
    assert screening.verdict.verdict == "review"
    assert screening.verdict.score >= 0.9
    assert "3114" in engine.messages[screening.verdict.reasons[0]].fr


def test_activity_counts_change_the_verdict(engine: RuleEngine) -> None:
    text = "Voir https://exemple.org"
    assert engine.screen(text).verdict.verdict == "pass"
    assert engine.screen(text, around=ActivityCounts(author_1m=9)).verdict.verdict == "hide"


def test_a_reason_has_one_message(engine: RuleEngine) -> None:
    for ready_rule in engine.rules:
        assert engine.messages[ready_rule.rule.reason] == ready_rule.rule.message, (
            ready_rule.rule.id
        )


def test_analyse_and_evaluate_equal_screen(engine: RuleEngine) -> None:
    text = "sale pédé, 06 12 34 56 78"
    assert engine.evaluate(engine.analyse(text)) == engine.screen(text)
    assert engine.screen(text).masked == "█████████, ██████████████"
