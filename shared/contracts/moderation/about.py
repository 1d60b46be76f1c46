"""What moderation's facts have in common: a content, in order with its conversation."""

from enum import StrEnum
from typing import ClassVar

from msgspec import Struct

from shared.contracts import cast
from shared.contracts.community import ContentKind, ContentRef
from shared.contracts.event import Fact
from shared.contracts.ids import SpaceId, StructureId


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


class ContentFact(Fact, frozen=True, kw_only=True):
    """Common to all that is said about a content, in order with its conversation."""

    TOPIC: ClassVar = "moderation.case"
    KEY: ClassVar = "ref.root_id"

    ref: ContentRef
    space_id: SpaceId
    structure_id: StructureId


ANSWER_REF = ContentRef(
    kind=ContentKind.ANSWER, id=cast.ANSWER, root_id=cast.QUESTION, parent_id=cast.QUESTION
)
RULE = RuleRef(id="insult.direct", version=1)
