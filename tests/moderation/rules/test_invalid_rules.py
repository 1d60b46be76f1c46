"""Invalid rules are refused before they can decide."""

import pytest

from services.moderation.rules.domain.rule import RuleRefused
from services.moderation.rules.domain.rule_examples import compile_rules
from services.moderation.text.domain.analysis import TextAnalyser
from tests.moderation.rules.builders import a_rule


def refusal(analyser: TextAnalyser, *sources: str) -> str:
    with pytest.raises(RuleRefused) as refused:
        compile_rules([(f"rule-{at}.toml", source) for at, source in enumerate(sources)], analyser)
    return str(refused.value)


def test_a_sound_rule_is_taken(analyser: TextAnalyser) -> None:
    (compiled,) = compile_rules([("a.toml", a_rule())], analyser)
    assert compiled.rule.id == "no-sales"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"version": None}, "missing required field `version`"),
        ({"version": "0"}, "`int` >= 1 - at `$.version`"),
        ({"score": "1.5"}, "<= 1"),
        ({"verdict": '"pass"'}, "$.verdict"),
        ({"policy": '"manners"'}, "$.policy"),
        ({"help": "true", "verdict": '"hide"'}, 'a rule with help = true has verdict = "review"'),
        ({"colour": '"red"'}, "unknown field `colour`"),
        ({"expires": '"soon"'}, "$.expires"),
        ({"message": '{ fr = "Non." }'}, "missing required field `en`"),
        ({"cases": '{ match = [], spare = ["a"] }'}, "length >= 1 - at `$.cases.match`"),
        ({"when": '"words >"'}, "not a CEL expression"),
        ({"when": '"wrods > 1"'}, "there is no fact named wrods"),
        ({"when": '"false && wrods > 1"'}, "there is no fact named wrods"),
        ({"when": '"author_trust != null && author_trust < 0.2"'}, "no fact named author_trust"),
        ({"when": '"room_7d != null && room_7d > 100"'}, "no fact named room_7d"),
        ({"when": '"words"'}, "it gives 0, neither true nor false"),
        ({"when": "\"words > 'three'\""}, "it cannot be evaluated"),
        ({"when": '"author_1m > 8"'}, "test `… != null &&` first"),
        ({"when": '"words > 0 && links + 0.5 > 1.0"'}, "it cannot be evaluated"),
        ({"when": f'"{"words > 0 || " * 200}true"'}, "longer than 2000 characters"),
    ],
)
def test_a_wrong_rule_is_refused_by_file_and_rule(
    analyser: TextAnalyser, changes: dict[str, str | None], expected: str
) -> None:
    line = refusal(analyser, a_rule(**changes))
    assert line.startswith("rule-0.toml: rule no-sales: ")
    assert expected in line
    assert "\n" not in line


def test_rule_that_misses_its_example_is_refused(analyser: TextAnalyser) -> None:
    cases = '{ match = ["Je vends un vélo", "J\'achète"], spare = ["Le vendeur"] }'
    line = refusal(analyser, a_rule(cases=cases))
    assert line.endswith("""case "J'achète": the rule must match it and does not""")


def test_rule_that_matches_spared_example_is_refused(
    analyser: TextAnalyser,
) -> None:
    cases = '{ match = ["Je vends un vélo"], spare = ["Elle vends mal écrit"] }'
    line = refusal(analyser, a_rule(cases=cases))
    assert line.endswith("case 'Elle vends mal écrit': the rule must spare it")


def test_example_may_include_activity_counts(analyser: TextAnalyser) -> None:
    rule = a_rule(
        when='"author_1m != null && author_1m > 8"',
        cases='{ match = [{ text = "a", around = { author_1m = 9 } }], spare = ["a"] }',
    )
    assert compile_rules([("a.toml", rule)], analyser)
    wrong = rule.replace("author_1m = 9", "author_minute = 9")
    assert "author_minute" in refusal(analyser, wrong)


def test_two_rules_of_one_id_are_refused(analyser: TextAnalyser) -> None:
    assert "another file has this id" in refusal(analyser, a_rule(), a_rule())


def test_file_that_is_not_toml_is_refused(analyser: TextAnalyser) -> None:
    assert refusal(analyser, "id = ").startswith("rule-0.toml: rule ?: not TOML")
