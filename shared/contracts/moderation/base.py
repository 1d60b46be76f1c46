"""Base class and types of moderation's facts, which share the key of the content's conversation."""

from enum import StrEnum
from typing import ClassVar

from msgspec import Struct

from shared.contracts import example_data
from shared.contracts.community import ContentKind, ContentRef
from shared.contracts.event import Fact
from shared.contracts.ids import SpaceId, StructureId


class Verdict(StrEnum):
    """Result of the rules for a text: pass, review by a human, or hide at once."""

    PASS = "pass"  # noqa: S105  a verdict, not a password
    REVIEW = "review"
    HIDE = "hide"


class Action(StrEnum):
    """Effect of a decision on a content. `keep` also restores a hidden content."""

    KEEP = "keep"
    HIDE = "hide"
    REMOVE = "remove"


class DecidedBy(StrEnum):
    """Whether a rule or a member decided; only a member can decide a removal."""

    RULE = "rule"
    MEMBER = "member"


class RuleRef(Struct, frozen=True, kw_only=True):
    """A rule at the version that matched."""

    id: str
    version: int


class ContentFact(Fact, frozen=True, kw_only=True):
    """Base of facts about a content; their key is the content's conversation."""

    TOPIC: ClassVar = "moderation.case"
    KEY: ClassVar = "ref.root_id"

    ref: ContentRef
    space_id: SpaceId
    structure_id: StructureId


ANSWER_REF = ContentRef(
    kind=ContentKind.ANSWER,
    id=example_data.ANSWER,
    root_id=example_data.QUESTION,
    parent_id=example_data.QUESTION,
)
RULE = RuleRef(id="insult.direct", version=1)
