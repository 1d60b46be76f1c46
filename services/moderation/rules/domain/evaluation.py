"""From facts to a verdict: the strictest rule's verdict, the surest rule's score."""

from collections.abc import Iterable
from datetime import date

from services.moderation.rules.domain.condition import cel_context
from services.moderation.rules.domain.facts import Facts, as_variables
from services.moderation.rules.domain.rule import CompiledRule, Rule
from services.moderation.rules.domain.verdict import LEVELS, RuleRef, Verdict


def evaluate_rules(facts: Facts, rules: Iterable[CompiledRule], *, on: date) -> Verdict:
    """What the rules in force that day say of the facts; with none matching, "pass".

    A rule that cannot be evaluated is set aside and named in `failed`: one bad rule must not
    stop the others from protecting anybody.
    """
    context = cel_context(as_variables(facts))
    matched: list[Rule] = []
    failed: list[RuleRef] = []
    for ready in rules:
        if not ready.rule.is_in_force(on):
            continue
        try:
            holds = ready.condition.holds(context)
        except (TypeError, ValueError, RuntimeError, KeyError):
            failed.append(ready.rule.ref)
            continue
        if holds:
            matched.append(ready.rule)
    return _combined(matched, failed, to_hearer=facts.to_hearer)


def _combined(matched: Iterable[Rule], failed: Iterable[RuleRef], *, to_hearer: bool) -> Verdict:
    """Combine rules; a call for help stays visible, unless its text also attacks its reader."""
    strictest_first = sorted(
        matched, key=lambda rule: (-LEVELS.index(rule.verdict), -rule.score, rule.id)
    )
    live = [rule for rule in strictest_first if rule.mode == "live"]
    help_offered = tuple(dict.fromkeys(rule.reason for rule in live if rule.help))
    level = live[0].verdict if live else "pass"
    if level == "hide" and help_offered and not to_hearer:
        level = "review"
    return Verdict(
        verdict=level,
        score=max((rule.score for rule in live), default=0.0),
        rules=tuple(rule.ref for rule in live),
        policies=tuple(dict.fromkeys(rule.policy for rule in live)),
        reasons=tuple(dict.fromkeys(rule.reason for rule in live)),
        help=help_offered,
        shadow=tuple(rule.ref for rule in strictest_first if rule.mode == "shadow"),
        failed=tuple(failed),
    )
