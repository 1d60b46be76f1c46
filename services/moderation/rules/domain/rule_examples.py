"""Check of each rule against its own examples, before it can decide."""

from collections.abc import Iterable

from services.moderation.rules.domain.condition import cel_context
from services.moderation.rules.domain.facts import as_variables, extract_facts
from services.moderation.rules.domain.rule import CompiledRule, RuleExample, RuleRefused, parse_rule
from services.moderation.text.domain.analysis import TextAnalyser


def compile_rules(
    sources: Iterable[tuple[str, str]], analyser: TextAnalyser
) -> tuple[CompiledRule, ...]:
    """Compile rules from (file name, TOML) pairs. Raises `RuleRefused` at the first bad one."""
    rules: dict[str, CompiledRule] = {}
    for file, source in sources:
        compiled = parse_rule(file, source)
        if compiled.rule.id in rules:
            raise RuleRefused(file, compiled.rule.id, "another file has this id; change one")
        check_examples(file, compiled, analyser)
        rules[compiled.rule.id] = compiled
    return tuple(rules.values())


def check_examples(file: str, compiled: CompiledRule, analyser: TextAnalyser) -> None:
    """Check a rule on its examples. Raises `RuleRefused` with the text that it gets wrong."""
    cases = compiled.rule.cases
    for expected, texts in ((True, cases.match), (False, cases.spare)):
        for text in texts:
            example = text if isinstance(text, RuleExample) else RuleExample(text)
            if _is_match(compiled, example, analyser) is not expected:
                reason = (
                    "the rule must match it and does not" if expected else "the rule must spare it"
                )
                raise RuleRefused(file, compiled.rule.id, reason, example.text)


def _is_match(compiled: CompiledRule, example: RuleExample, analyser: TextAnalyser) -> bool:
    analysis = analyser.analyse(example.text, language_hint=example.language)
    return compiled.condition.holds(
        cel_context(as_variables(extract_facts(analysis, example.around)))
    )
