"""A rule proves itself on its own cases before it may decide about anybody."""

from collections.abc import Iterable

from services.moderation.rules.domain.condition import cel_context
from services.moderation.rules.domain.facts import as_variables, extract_facts
from services.moderation.rules.domain.rule import CompiledRule, RuleExample, RuleRefused, parse_rule
from services.moderation.text.domain.analysis import TextAnalyser


def compile_rules(
    sources: Iterable[tuple[str, str]], reader: TextAnalyser
) -> tuple[CompiledRule, ...]:
    """The rules of (file name, TOML) pairs; raises `RuleRefused` at the first that is not sound."""
    rules: dict[str, CompiledRule] = {}
    for file, source in sources:
        ready = parse_rule(file, source)
        if ready.rule.id in rules:
            raise RuleRefused(file, ready.rule.id, "another file has this id; change one")
        check_examples(file, ready, reader)
        rules[ready.rule.id] = ready
    return tuple(rules.values())


def check_examples(file: str, ready: CompiledRule, reader: TextAnalyser) -> None:
    """Raises `RuleRefused` naming the case: a text it must match and spares, or the reverse."""
    cases = ready.rule.cases
    for expected, texts in ((True, cases.match), (False, cases.spare)):
        for text in texts:
            case = text if isinstance(text, RuleExample) else RuleExample(text)
            if _holds(ready, case, reader) is not expected:
                why = (
                    "the rule must match it and does not" if expected else "the rule must spare it"
                )
                raise RuleRefused(file, ready.rule.id, why, case.text)


def _holds(ready: CompiledRule, case: RuleExample, reader: TextAnalyser) -> bool:
    reading = reader.analyse(case.text, language_hint=case.language)
    return ready.condition.holds(cel_context(as_variables(extract_facts(reading, case.around))))
