"""What moderation publishes: verdicts, cases, decisions and statements; never a text."""

from enum import StrEnum
from typing import ClassVar, Self

from msgspec import Struct

from shared.contracts import cast
from shared.contracts.community import ContentKind, ContentRef
from shared.contracts.event import Fact, Person
from shared.contracts.ids import (
    CaseId,
    DecisionId,
    MemberId,
    SpaceId,
    StatementId,
    StructureId,
)


class Verdict(StrEnum):
    """What the rules make of a text: nothing to say, a human should look, or hide it now."""

    PASS = "pass"  # noqa: S105  a verdict, not a password
    REVIEW = "review"
    HIDE = "hide"


class Action(StrEnum):
    """What a decision does to a content. `keep` also restores what was hidden."""

    KEEP = "keep"
    HIDE = "hide"
    REMOVE = "remove"


class DecidedBy(StrEnum):
    """Whether a rule decided or a member did; removal is always a member's."""

    RULE = "rule"
    MEMBER = "member"


class RuleRef(Struct, frozen=True, kw_only=True):
    """A rule at the version that matched."""

    id: str
    version: int


class _OnContent(Fact, frozen=True, kw_only=True):
    """Common to all that is said about a content, in order with its conversation."""

    TOPIC: ClassVar = "moderation.case"
    KEY: ClassVar = "ref.root_id"

    ref: ContentRef
    space_id: SpaceId
    structure_id: StructureId


_REF = ContentRef(
    kind=ContentKind.ANSWER, id=cast.ANSWER, root_id=cast.QUESTION, parent_id=cast.QUESTION
)
_RULE = RuleRef(id="insult.direct", version=1)


class ContentScreened(_OnContent, frozen=True, kw_only=True):
    """The rules read a content at a version. This informs; only a decision acts.

    `content_hash` is the SHA-256 of the text that was read, so that a decision can be held against
    it. `score` is 0 to 1. `degraded` tells that a part of the screening was missing.
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
            ref=_REF,
            space_id=cast.SPACE,
            structure_id=cast.COLLEGE,
            content_hash="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            verdict=Verdict.HIDE,
            score=0.92,
            rules=(_RULE,),
            author=cast.TEACHER,
        )


class CaseOpened(_OnContent, frozen=True, kw_only=True):
    """A human should look at a content: one open case per content."""

    WIRE: ClassVar = "moderation.case.opened"
    SUBJECT: ClassVar = "case_id"

    case_id: CaseId
    because: str
    severity: int
    author: Person | None = None

    @classmethod
    def example(cls) -> Self:
        return cls(
            ref=_REF,
            space_id=cast.SPACE,
            structure_id=cast.COLLEGE,
            case_id=cast.CASE,
            because="flags",
            severity=2,
            author=cast.TEACHER,
        )


class CaseAssigned(_OnContent, frozen=True, kw_only=True):
    """A moderator took a case in hand."""

    WIRE: ClassVar = "moderation.case.assigned"
    SUBJECT: ClassVar = "case_id"

    case_id: CaseId
    moderator_id: MemberId

    @classmethod
    def example(cls) -> Self:
        return cls(
            ref=_REF,
            space_id=cast.SPACE,
            structure_id=cast.COLLEGE,
            case_id=cast.CASE,
            moderator_id=cast.HAMID,
        )


class CaseClosed(_OnContent, frozen=True, kw_only=True):
    """A case needs nobody any more: decided, or its content is gone."""

    WIRE: ClassVar = "moderation.case.closed"
    SUBJECT: ClassVar = "case_id"

    case_id: CaseId
    outcome: str

    @classmethod
    def example(cls) -> Self:
        return cls(
            ref=_REF,
            space_id=cast.SPACE,
            structure_id=cast.COLLEGE,
            case_id=cast.CASE,
            outcome="hide",
        )


class DecisionMade(_OnContent, frozen=True, kw_only=True):
    """What happens to a content was decided, by a rule's verdict or by a moderator."""

    WIRE: ClassVar = "moderation.decision.made"
    SUBJECT: ClassVar = "decision_id"

    decision_id: DecisionId
    action: Action
    policy: str
    reason: str
    decided_by: DecidedBy
    author: Person | None = None
    case_id: CaseId | None = None
    moderator_id: MemberId | None = None
    rules: tuple[RuleRef, ...] = ()

    @classmethod
    def example(cls) -> Self:
        return cls(
            ref=_REF,
            space_id=cast.SPACE,
            structure_id=cast.COLLEGE,
            decision_id=cast.DECISION,
            action=Action.HIDE,
            policy="insult",
            reason="insult.direct",
            decided_by=DecidedBy.RULE,
            author=cast.TEACHER,
            rules=(_RULE,),
        )


class StatementIssued(_OnContent, frozen=True, kw_only=True):
    """An author is owed the reasons of a decision: this is what tells them.

    The words are read from moderation by `statement_id`; the fact carries only keys.
    """

    WIRE: ClassVar = "moderation.statement.issued"
    SUBJECT: ClassVar = "statement_id"

    statement_id: StatementId
    decision_id: DecisionId
    recipient: Person
    action: Action
    policy: str
    reason: str
    decided_by: DecidedBy

    @classmethod
    def example(cls) -> Self:
        return cls(
            ref=_REF,
            space_id=cast.SPACE,
            structure_id=cast.COLLEGE,
            statement_id=cast.STATEMENT,
            decision_id=cast.DECISION,
            recipient=cast.TEACHER,
            action=Action.HIDE,
            policy="insult",
            reason="insult.direct",
            decided_by=DecidedBy.RULE,
        )


PUBLISHES: tuple[type[Fact], ...] = (
    ContentScreened,
    CaseOpened,
    CaseAssigned,
    CaseClosed,
    DecisionMade,
    StatementIssued,
)
