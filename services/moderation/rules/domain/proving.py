"""A rule proves itself on its own cases before it may decide about anybody."""

from collections.abc import Iterable

from services.moderation.rules.domain.condition import context_of
from services.moderation.rules.domain.facts import as_variables, gather_facts
from services.moderation.rules.domain.rule import Case, ReadyRule, RuleRefused, parse_rule
from services.moderation.text.domain.reading import Reader


def proven_rules(sources: Iterable[tuple[str, str]], reader: Reader) -> tuple[ReadyRule, ...]:
    """The rules of (file name, TOML) pairs; raises `RuleRefused` at the first that is not sound."""
    rules: dict[str, ReadyRule] = {}
    for file, source in sources:
        ready = parse_rule(file, source)
        if ready.rule.id in rules:
            raise RuleRefused(file, ready.rule.id, "another file has this id; change one")
        prove(file, ready, reader)
        rules[ready.rule.id] = ready
    return tuple(rules.values())


def prove(file: str, ready: ReadyRule, reader: Reader) -> None:
    """Raises `RuleRefused` naming the case: a text it must match and spares, or the reverse."""
    cases = ready.rule.cases
    for expected, texts in ((True, cases.match), (False, cases.spare)):
        for text in texts:
            case = text if isinstance(text, Case) else Case(text)
            if _holds(ready, case, reader) is not expected:
                why = (
                    "the rule must match it and does not" if expected else "the rule must spare it"
                )
                raise RuleRefused(file, ready.rule.id, why, case.text)


def _holds(ready: ReadyRule, case: Case, reader: Reader) -> bool:
    reading = reader.read(case.text, language_hint=case.language)
    return ready.condition.holds(context_of(as_variables(gather_facts(reading, case.around))))
