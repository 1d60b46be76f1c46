"""Rules as data, parsed from TOML files with errors that name file, rule and field."""

import tomllib
from datetime import date
from typing import Annotated, Literal

import msgspec

from services.moderation.rules.domain.condition import (
    Condition,
    ConditionRefused,
    compile_condition,
)
from services.moderation.rules.domain.facts import UNKNOWN_ACTIVITY, ActivityCounts
from services.moderation.rules.domain.verdict import Policy, RuleRef
from shared.kit.core.errors import Invalid

RuleKey = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9_.-]+$", max_length=80)]
ShortText = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class RuleRefused(Invalid):
    """A rule that cannot be used: its file, its id, the failed example if any, and the reason."""

    key = "rule_refused"

    def __init__(self, file: str, rule: str, why: str, case: str | None = None) -> None:
        super().__init__(file=file, rule=rule, case=case, why=why)

    def __str__(self) -> str:
        case = f"case {self.facts['case']!r}: " if self.facts["case"] is not None else ""
        return f"{self.facts['file']}: rule {self.facts['rule']}: {case}{self.facts['why']}"


class RuleExample(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text that a rule must match, or must not, and the activity around it."""

    text: str
    around: ActivityCounts = UNKNOWN_ACTIVITY
    language: Literal["fr", "en"] | None = None


class RuleExamples(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """At least one text each way; a plain string is a text without known activity."""

    match: Annotated[tuple[str | RuleExample, ...], msgspec.Meta(min_length=1)]
    spare: Annotated[tuple[str | RuleExample, ...], msgspec.Meta(min_length=1)]


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The text that the author reads, in words a pupil understands."""

    fr: ShortText
    en: ShortText


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A condition, its consequence, and the examples that it must pass.

    `expires` is its last day; `mode = "shadow"` lets it match without deciding. `help = true`: the
    message offers help to the author, so the verdict is "review" and never "hide".
    """

    id: RuleKey
    version: Annotated[int, msgspec.Meta(ge=1)]
    owner: ShortText
    policy: Policy
    when: str
    verdict: Literal["note", "review", "hide"]
    score: Annotated[float, msgspec.Meta(ge=0, le=1)]
    reason: RuleKey
    message: Message
    cases: RuleExamples
    expires: date | None = None
    mode: Literal["live", "shadow"] = "live"
    help: bool = False

    @property
    def ref(self) -> RuleRef:
        return RuleRef(self.id, self.version)

    def is_in_force(self, on: date) -> bool:
        return self.expires is None or on <= self.expires


class CompiledRule(msgspec.Struct, frozen=True):
    """A rule whose condition compiled and ran on the samples."""

    rule: Rule
    condition: Condition


def parse_rule(file: str, source: str) -> CompiledRule:
    """Parse the rule of a file and try its condition on the samples. Raises `RuleRefused`."""
    try:
        table = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise RuleRefused(file, "?", f"not TOML: {error}") from error
    rule_id = str(table.get("id", "?"))
    try:
        rule = msgspec.convert(table, Rule)
        if rule.help and rule.verdict != "review":
            raise RuleRefused(file, rule.id, 'a rule with help = true has verdict = "review"')
        return CompiledRule(rule, compile_condition(rule.when))
    except (msgspec.ValidationError, ConditionRefused) as error:
        raise RuleRefused(file, rule_id, str(error)) from error
