"""What is said, and where it stands in its conversation: one topic, the key of its root post."""

from enum import StrEnum
from typing import ClassVar

from msgspec import Struct

from shared.contracts import cast
from shared.contracts.event import DataSensitivity, Fact, Person, Sealed
from shared.contracts.ids import ContentId, DecisionId, MemberId, SpaceId, StructureId


class ContentKind(StrEnum):
    """What a content is. An answer is a post whose parent is a question."""

    DISCUSSION = "discussion"
    QUESTION = "question"
    ANNOUNCEMENT = "announcement"
    ANSWER = "answer"
    COMMENT = "comment"


class ContentRef(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which content, at which version, and where in its conversation (`root_id`)."""

    kind: ContentKind
    id: ContentId
    root_id: ContentId
    parent_id: ContentId | None = None
    version: int = 1


class ContentText(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What someone wrote: personal data. `body` is Markdown, or HTML where `format` says so."""

    body: str
    title: str | None = None
    language: str | None = None
    format: str = "markdown"


class ConversationFact(Fact, frozen=True, kw_only=True):
    """Common to all that happens in a conversation, which is one key: that of its root post."""

    TOPIC: ClassVar = "community.post"
    KEY: ClassVar = "ref.root_id"
    SUBJECT: ClassVar = "ref.id"

    ref: ContentRef
    space_id: SpaceId
    structure_id: StructureId


class TextFact(ConversationFact, frozen=True, kw_only=True):
    """A text and its author: none where the account is gone."""

    DATA: ClassVar = DataSensitivity.PERSONAL

    content: Sealed[ContentText]
    author: Person | None = None
    reply_to: Person | None = None


class StateChangeFact(ConversationFact, frozen=True, kw_only=True):
    """A content's standing changed: by whom, why, and by which decision if it was moderation's."""

    author: Person | None = None
    by: MemberId | None = None
    reason: str | None = None
    decision_id: DecisionId | None = None


# What the examples of all these facts speak of: one question, its answer, a comment there.
POST_REF = ContentRef(kind=ContentKind.QUESTION, id=cast.QUESTION, root_id=cast.QUESTION)
ANSWER_REF = ContentRef(
    kind=ContentKind.ANSWER, id=cast.ANSWER, root_id=cast.QUESTION, parent_id=cast.QUESTION
)
COMMENT_REF = ContentRef(
    kind=ContentKind.COMMENT, id=cast.COMMENT, root_id=cast.QUESTION, parent_id=cast.ANSWER
)
QUESTION_TEXT: Sealed[ContentText] = Sealed(
    clear=ContentText(
        title="« Malgré que », est-ce admis ? 🤔",
        body="J’ai lu *malgré que* dans un roman. Est-ce que c’est correct ?",
        language="fr",
    )
)
COMMENT_TEXT: Sealed[ContentText] = Sealed(clear=ContentText(body="Merci, c’est très clair !"))
