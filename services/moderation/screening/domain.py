"""The text to screen, its result, and the consequence of the verdict. Pure."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from msgspec import Struct

from services.moderation.cases.domain import Decision, Restriction
from services.moderation.rules.domain.facts import UNKNOWN_ACTIVITY, ActivityCounts
from services.moderation.text.domain.markup import (
    append_reversed_lines,
    text_of_html,
    text_of_markdown,
)
from shared.contracts.community import ContentText
from shared.contracts.ids import DecisionId
from shared.contracts.moderation import Action, DecidedBy, RuleRef, Verdict
from shared.kit.core.errors import Invalid

SEVERITY_OF_POLICY = {
    "threat": 4,
    "self_harm": 4,
    "danger": 4,
    "victim": 3,
    "hate": 3,
    "harassment": 3,
    "personal_data": 3,
    "sexual": 3,
    "insult": 2,
}
SEVERITY_OF_UNSCREENED = 2


class ScreeningRequest(Struct, frozen=True):
    """A content to screen, and the activity around it."""

    content: ContentText
    activity: ActivityCounts = UNKNOWN_ACTIVITY


class SealedText(Invalid):
    """The text is sealed with a key that this service does not have."""

    key = "sealed_text"


@dataclass(frozen=True, slots=True)
class ScreeningResult:
    """The result of the rules on a text, in the types of the contracts.

    `help` are the keys of the messages that offer the author help (`RuleEngine.messages[key]`).
    `degraded`: a rule failed, a counter was unavailable, or the text `is_unscreened`: it exceeded
    the deadline or ended its process.
    """

    verdict: Verdict
    score: float
    rules: tuple[RuleRef, ...]
    policies: tuple[str, ...]
    reasons: tuple[str, ...]
    masked: str
    content_hash: str
    degraded: bool = False
    help: tuple[str, ...] = ()
    is_unscreened: bool = False
    is_harsh: bool = False
    """It contains an insult, a slur, a threat or harassment, independent of the verdict."""

    @property
    def severity(self) -> int:
        """Return how urgent a case about this text is: 1 to 4."""
        if self.is_unscreened:
            return SEVERITY_OF_UNSCREENED
        return max((SEVERITY_OF_POLICY.get(policy, 1) for policy in self.policies), default=1)


def rendered_text(content: ContentText) -> str:
    """Return the text as a page shows it: title first, titles and targets of links last."""
    convert = text_of_html if content.format == "html" else text_of_markdown
    body = convert(content.body)
    return f"{append_reversed_lines(content.title)}\n\n{body}" if content.title else body


def text_hash(text: str) -> str:
    """Return the SHA-256 of a text in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def unscreened_result(content: ContentText) -> ScreeningResult:
    """Return the result for a text that could not be screened in time: a person reviews it.

    It is not converted, because that may be what took too long: the source is used as its text.
    """
    source = f"{content.title}\n\n{content.body}" if content.title else content.body
    return ScreeningResult(
        verdict=Verdict.REVIEW,
        score=0.0,
        rules=(),
        policies=(),
        reasons=(),
        masked=source,
        content_hash=text_hash(source),
        degraded=True,
        is_unscreened=True,
    )


def hide_decision(decision_id: DecisionId, screened: ScreeningResult) -> Decision:
    """Return a decision to hide: reversible, at once, and open to review by a person."""
    return Decision(
        decision_id=decision_id,
        action=Action.HIDE,
        policy=screened.policies[0] if screened.policies else "other",
        reason=screened.reasons[0] if screened.reasons else "other",
        decided_by=DecidedBy.RULE,
        rules=screened.rules,
    )


class Consequence(StrEnum):
    """The consequence of a verdict, given what restricts the content already."""

    NOTHING = "nothing"
    REVIEW = "review"
    """A person reviews it; readers still see the earlier version."""
    HIDE = "hide"
    """Hidden by a rule, and a person reviews it."""
    SHOW = "show"
    """Shown again."""
    WAIT = "wait"
    """Unchanged until a person reviews the new text, because a person decided before."""


def consequence_of(screened: ScreeningResult, restriction: Restriction) -> Consequence:
    """Return the consequence: only a person lifts what a person decided, a doubt hides no more."""
    if restriction is Restriction.MEMBER:
        return Consequence.WAIT
    if screened.verdict is Verdict.HIDE:
        return Consequence.HIDE
    if screened.verdict is Verdict.REVIEW or screened.degraded:
        # A rule hid an earlier version: readers see the new one only after a person reviewed it.
        hidden = restriction is Restriction.RULE
        return Consequence.HIDE if hidden else Consequence.REVIEW
    return Consequence.NOTHING if restriction is Restriction.NEVER else Consequence.SHOW
