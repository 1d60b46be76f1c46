"""From facts to a verdict: the strictest verdict and the highest score of the matching rules."""

from collections.abc import Iterable
from datetime import date

from services.moderation.rules.domain.condition import cel_context
from services.moderation.rules.domain.facts import Facts, as_variables
from services.moderation.rules.domain.rule import CompiledRule, Rule
from services.moderation.rules.domain.verdict import LEVELS, RuleRef, Verdict


def evaluate_rules(facts: Facts, rules: Iterable[CompiledRule], *, on: date) -> Verdict:
    """Return the verdict of the rules in force on a day; without a match it is "pass".

    A rule that cannot be evaluated is left out and named in `failed`, so that one faulty rule does
    not disable the others.
    """
    context = cel_context(as_variables(facts))
    matched: list[Rule] = []
    failed: list[RuleRef] = []
    for compiled in rules:
        if not compiled.rule.is_in_force(on):
            continue
        try:
            is_match = compiled.condition.holds(context)
        except (TypeError, ValueError, RuntimeError, KeyError):
            failed.append(compiled.rule.ref)
            continue
        if is_match:
            matched.append(compiled.rule)
    return _combine(matched, failed, to_hearer=facts.to_hearer)


def _combine(matched: Iterable[Rule], failed: Iterable[RuleRef], *, to_hearer: bool) -> Verdict:
    """Combine rules; a call for help stays visible, unless its text also attacks its reader."""
    strictest_first = sorted(
        matched, key=lambda rule: (-LEVELS.index(rule.verdict), -rule.score, rule.id)
    )
    live_rules = [rule for rule in strictest_first if rule.mode == "live"]
    help_offered = tuple(dict.fromkeys(rule.reason for rule in live_rules if rule.help))
    verdict = live_rules[0].verdict if live_rules else "pass"
    if verdict == "hide" and help_offered and not to_hearer:
        verdict = "review"
    return Verdict(
        verdict=verdict,
        score=max((rule.score for rule in live_rules), default=0.0),
        rules=tuple(rule.ref for rule in live_rules),
        policies=tuple(dict.fromkeys(rule.policy for rule in live_rules)),
        reasons=tuple(dict.fromkeys(rule.reason for rule in live_rules)),
        help=help_offered,
        shadow=tuple(rule.ref for rule in strictest_first if rule.mode == "shadow"),
        failed=tuple(failed),
    )
