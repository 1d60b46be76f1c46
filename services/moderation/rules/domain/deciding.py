"""From facts to a verdict: the strictest rule's verdict, the surest rule's score."""

from collections.abc import Iterable
from datetime import date

from services.moderation.rules.domain.condition import context_of
from services.moderation.rules.domain.facts import Facts, as_variables
from services.moderation.rules.domain.rule import ReadyRule, Rule
from services.moderation.rules.domain.verdict import LEVELS, RuleRef, Verdict


def decide(facts: Facts, rules: Iterable[ReadyRule], *, on: date) -> Verdict:
    """What the rules in force that day say of the facts; with none matching, "pass".

    A rule that cannot be evaluated is set aside and named in `failed`: one bad rule must not
    stop the others from protecting anybody.
    """
    context = context_of(as_variables(facts))
    matched: list[Rule] = []
    failed: list[RuleRef] = []
    for ready in rules:
        if not ready.rule.in_force(on):
            continue
        try:
            holds = ready.condition.holds(context)
        except (TypeError, ValueError, RuntimeError, KeyError):
            failed.append(ready.rule.ref)
            continue
        if holds:
            matched.append(ready.rule)
    return _combined(matched, failed)


def _combined(matched: Iterable[Rule], failed: Iterable[RuleRef]) -> Verdict:
    strictest_first = sorted(
        matched, key=lambda rule: (-LEVELS.index(rule.verdict), -rule.score, rule.id)
    )
    live = [rule for rule in strictest_first if rule.mode == "live"]
    return Verdict(
        verdict=live[0].verdict if live else "pass",
        score=max((rule.score for rule in live), default=0.0),
        rules=tuple(rule.ref for rule in live),
        policies=tuple(dict.fromkeys(rule.policy for rule in live)),
        reasons=tuple(dict.fromkeys(rule.reason for rule in live)),
        help=tuple(dict.fromkeys(rule.reason for rule in live if rule.help)),
        shadow=tuple(rule.ref for rule in strictest_first if rule.mode == "shadow"),
        failed=tuple(failed),
    )
