"""What is read, and what the verdict leads to. Pure."""

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
    """A content to screen, and what happened around it."""

    content: ContentText
    activity: ActivityCounts = UNKNOWN_ACTIVITY


class SealedText(Invalid):
    """The text cannot be read here: it was sealed with a key that this service does not have."""

    key = "sealed_text"


@dataclass(frozen=True, slots=True)
class ScreeningResult:
    """What the rules made of a text, in the words of the contracts.

    `help` holds the keys of the messages that offer the author help (`RuleEngine.messages[key]`).
    `degraded` says that a rule failed, or that the whole text is `unread`: it was late, or ended
    the process that read it.
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
    """An insult, a slur, a threat or harassment is said in it, whatever the rules make of that."""

    @property
    def severity(self) -> int:
        """How urgent a case of it is: 1 to 4."""
        if self.is_unscreened:
            return SEVERITY_OF_UNSCREENED
        return max((SEVERITY_OF_POLICY.get(policy, 1) for policy in self.policies), default=1)


def rendered_text(content: ContentText) -> str:
    """Return the text as a page shows it: its title first; titles and targets of links last."""
    read = text_of_html if content.format == "html" else text_of_markdown
    body = read(content.body)
    return f"{append_reversed_lines(content.title)}\n\n{body}" if content.title else body


def text_hash(text: str) -> str:
    """Name a text without saying it."""
    return hashlib.sha256(text.encode()).hexdigest()


def unscreened_result(content: ContentText) -> ScreeningResult:
    """Return the verdict on a text that could not be screened in time: a human looks at it.

    Nothing is read here, because reading it is what took too long: its source stands for its text.
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
    """Hide: reversible, at once, and open to a human's second look."""
    return Decision(
        decision_id=decision_id,
        action=Action.HIDE,
        policy=screened.policies[0] if screened.policies else "other",
        reason=screened.reasons[0] if screened.reasons else "other",
        decided_by=DecidedBy.RULE,
        rules=screened.rules,
    )


class Consequence(StrEnum):
    """What follows from a verdict, given what restricts the content already."""

    NOTHING = "nothing"
    REVIEW = "review"
    """A person looks; readers see what they saw before."""
    HIDE = "hide"
    """Hidden by a rule, and a person looks."""
    SHOW = "show"
    """Shown again."""
    WAIT = "wait"
    """Stays as a person left it until a person looks at the new text."""


def consequence_of(screened: ScreeningResult, restriction: Restriction) -> Consequence:
    """Return what follows: only a person lifts what a person decided, and a doubt hides no more."""
    if restriction is Restriction.MEMBER:
        return Consequence.WAIT
    if screened.verdict is Verdict.HIDE:
        return Consequence.HIDE
    if screened.verdict is Verdict.REVIEW or screened.degraded:
        # Hidden by a rule at an earlier version: nobody reads the new one before a person did.
        hidden = restriction is Restriction.RULE
        return Consequence.HIDE if hidden else Consequence.REVIEW
    return Consequence.NOTHING if restriction is Restriction.NEVER else Consequence.SHOW
