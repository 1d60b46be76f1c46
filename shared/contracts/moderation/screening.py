"""Facts on the screening of contents by rules, and on help that rules offer to an author."""

from typing import ClassVar, Self

from msgspec import Struct

from shared.contracts import example_data
from shared.contracts.event import Person
from shared.contracts.moderation.base import ANSWER_REF, RULE, ContentFact, RuleRef, Verdict


class ContentScreened(ContentFact, frozen=True, kw_only=True):
    """The rules screened a content at a version. For information; only a decision acts.

    `content_hash` is the SHA-256 of the text that was read, so that a decision can be checked
    against it. `score` is 0 to 1. `degraded` is true if a part of the screening was not available.
    """

    WIRE: ClassVar = "moderation.content.screened"
    SUBJECT: ClassVar = "ref.id"

    content_hash: str
    verdict: Verdict
    score: float
    rules: tuple[RuleRef, ...] = ()
    author: Person | None = None
    degraded: bool = False

    @classmethod
    def example(cls) -> Self:
        return cls(
            ref=ANSWER_REF,
            space_id=example_data.SPACE,
            structure_id=example_data.COLLEGE,
            content_hash="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            verdict=Verdict.HIDE,
            score=0.92,
            rules=(RULE,),
            author=example_data.TEACHER,
        )


class HelpWords(Struct, frozen=True, kw_only=True):
    """Text of a rule for an author: written by the product's authors, never by a member."""

    fr: str
    en: str


class HelpOffered(ContentFact, frozen=True, kw_only=True):
    """A text reads as a call for help, or reports harm that its author suffers.

    `recipient` is its author, who can read `words` at once, whatever is decided about the content.
    `reason` is the key of these words. At most one fact per content and UTC day.
    """

    WIRE: ClassVar = "moderation.help.offered"
    SUBJECT: ClassVar = "ref.id"

    recipient: Person
    reason: str
    words: HelpWords

    @classmethod
    def example(cls) -> Self:
        return cls(
            ref=ANSWER_REF,
            space_id=example_data.SPACE,
            structure_id=example_data.COLLEGE,
            recipient=example_data.PUPIL,
            reason="self_harm_call",
            words=HelpWords(
                fr="Tu comptes pour nous. Appelle le 3114 (gratuit, jour et nuit).",
                en="You matter to us. Call 3114 in France (free, day and night).",
            ),
        )
