"""Posts and comments, and their place in a conversation: one topic, keyed by the root post."""

from enum import StrEnum
from typing import ClassVar

from msgspec import Struct

from shared.contracts import example_data
from shared.contracts.event import DataSensitivity, Fact, Person, Sealed
from shared.contracts.ids import ContentId, DecisionId, MemberId, SpaceId, StructureId


class ContentKind(StrEnum):
    """Kind of a content. An answer is a post whose parent is a question."""

    DISCUSSION = "discussion"
    QUESTION = "question"
    ANNOUNCEMENT = "announcement"
    ANSWER = "answer"
    COMMENT = "comment"


class ContentRef(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A content at a version, with its parent and the root post of its conversation."""

    kind: ContentKind
    id: ContentId
    root_id: ContentId
    parent_id: ContentId | None = None
    version: int = 1


class ContentText(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Text of a content: personal data. `body` is Markdown, unless `format` is `html`."""

    body: str
    title: str | None = None
    language: str | None = None
    format: str = "markdown"


class ConversationFact(Fact, frozen=True, kw_only=True):
    """Base of facts in a conversation; their key is the root post."""

    TOPIC: ClassVar = "community.post"
    KEY: ClassVar = "ref.root_id"
    SUBJECT: ClassVar = "ref.id"

    ref: ContentRef
    space_id: SpaceId
    structure_id: StructureId


class TextFact(ConversationFact, frozen=True, kw_only=True):
    """Base of facts with a text and its author; a deleted account has no author."""

    DATA: ClassVar = DataSensitivity.PERSONAL

    content: Sealed[ContentText]
    author: Person | None = None
    reply_to: Person | None = None


class StateChangeFact(ConversationFact, frozen=True, kw_only=True):
    """Base of facts that change a content's state: the actor, the reason and the decision."""

    author: Person | None = None
    by: MemberId | None = None
    reason: str | None = None
    decision_id: DecisionId | None = None


# Contents of all examples: a question, its answer, and a comment on the answer.
POST_REF = ContentRef(
    kind=ContentKind.QUESTION, id=example_data.QUESTION, root_id=example_data.QUESTION
)
ANSWER_REF = ContentRef(
    kind=ContentKind.ANSWER,
    id=example_data.ANSWER,
    root_id=example_data.QUESTION,
    parent_id=example_data.QUESTION,
)
COMMENT_REF = ContentRef(
    kind=ContentKind.COMMENT,
    id=example_data.COMMENT,
    root_id=example_data.QUESTION,
    parent_id=example_data.ANSWER,
)
QUESTION_TEXT: Sealed[ContentText] = Sealed(
    clear=ContentText(
        title="« Malgré que », est-ce admis ? 🤔",
        body="J’ai lu *malgré que* dans un roman. Est-ce que c’est correct ?",
        language="fr",
    )
)
COMMENT_TEXT: Sealed[ContentText] = Sealed(clear=ContentText(body="Merci, c’est très clair !"))
