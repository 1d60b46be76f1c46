"""What community publishes: spaces, memberships, and everything said in a conversation."""

from enum import StrEnum
from typing import ClassVar, Self

from msgspec import Struct

from shared.contracts import cast
from shared.contracts.event import DataClass, Fact, Person, Sealed
from shared.contracts.ids import ContentId, DecisionId, MemberId, SpaceId, StructureId


class ContentKind(StrEnum):
    """What a content is. An answer is a post whose parent is a question."""

    DISCUSSION = "discussion"
    QUESTION = "question"
    ANNOUNCEMENT = "announcement"
    ANSWER = "answer"
    COMMENT = "comment"


class Visibility(StrEnum):
    """Who may see a space."""

    PUBLIC = "public"
    STRUCTURE = "structure"
    CLOSED = "closed"
    SECRET = "secret"  # noqa: S105  a visibility, not a password


class Joining(StrEnum):
    """How one becomes a member of a space."""

    OPEN = "open"
    ON_REQUEST = "on_request"
    INVITED = "invited"


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


class SpaceOpened(Fact, frozen=True, kw_only=True):
    """A space was opened in a structure; `path` holds the structure's ancestors, root first."""

    WIRE: ClassVar = "community.space.opened"
    TOPIC: ClassVar = "community.space"
    KEY: ClassVar = "space_id"
    SUBJECT: ClassVar = "space_id"

    space_id: SpaceId
    name: str
    visibility: Visibility
    joining: Joining
    structure_id: StructureId
    time_zone: str
    path: tuple[StructureId, ...] = ()
    opened_by: MemberId | None = None

    @classmethod
    def example(cls) -> Self:
        return cls(
            space_id=cast.SPACE,
            name="Entraide en français",
            visibility=Visibility.STRUCTURE,
            joining=Joining.OPEN,
            structure_id=cast.COLLEGE,
            path=(cast.ACADEMY,),
            time_zone="Europe/Paris",
            opened_by=cast.HAMID,
        )


class MembershipJoined(Fact, frozen=True, kw_only=True):
    """Someone became a member of a space."""

    WIRE: ClassVar = "community.membership.joined"
    TOPIC: ClassVar = "community.space"
    KEY: ClassVar = "space_id"
    SUBJECT: ClassVar = "space_id"

    space_id: SpaceId
    member: Person
    role: str = "member"

    @classmethod
    def example(cls) -> Self:
        return cls(space_id=cast.SPACE, member=cast.PUPIL)


class MembershipLeft(Fact, frozen=True, kw_only=True):
    """Someone is no longer a member of a space."""

    WIRE: ClassVar = "community.membership.left"
    TOPIC: ClassVar = "community.space"
    KEY: ClassVar = "space_id"
    SUBJECT: ClassVar = "space_id"

    space_id: SpaceId
    member: Person

    @classmethod
    def example(cls) -> Self:
        return cls(space_id=cast.SPACE, member=cast.PUPIL)


class _InConversation(Fact, frozen=True, kw_only=True):
    """Common to all that happens in a conversation, which is one key: that of its root post."""

    TOPIC: ClassVar = "community.post"
    KEY: ClassVar = "ref.root_id"
    SUBJECT: ClassVar = "ref.id"

    ref: ContentRef
    space_id: SpaceId
    structure_id: StructureId


class _Written(_InConversation, frozen=True, kw_only=True):
    """A text and its author: none where the account is gone."""

    DATA: ClassVar = DataClass.PERSONAL

    content: Sealed[ContentText]
    author: Person | None = None
    reply_to: Person | None = None


class _Moved(_InConversation, frozen=True, kw_only=True):
    """A content's standing changed: by whom, why, and by which decision if it was moderation's."""

    author: Person | None = None
    by: MemberId | None = None
    reason: str | None = None
    decision_id: DecisionId | None = None


_POST = ContentRef(kind=ContentKind.QUESTION, id=cast.QUESTION, root_id=cast.QUESTION)
_ANSWER = ContentRef(
    kind=ContentKind.ANSWER, id=cast.ANSWER, root_id=cast.QUESTION, parent_id=cast.QUESTION
)
_COMMENT = ContentRef(
    kind=ContentKind.COMMENT, id=cast.COMMENT, root_id=cast.QUESTION, parent_id=cast.ANSWER
)
_ASKED: Sealed[ContentText] = Sealed(
    clear=ContentText(
        title="« Malgré que », est-ce admis ? 🤔",
        body="J’ai lu *malgré que* dans un roman. Est-ce que c’est correct ?",
        language="fr",
    )
)
_SAID: Sealed[ContentText] = Sealed(clear=ContentText(body="Merci, c’est très clair !"))


class PostPublished(_Written, frozen=True, kw_only=True):
    """A discussion, question, announcement or answer was published."""

    WIRE: ClassVar = "community.post.published"

    @classmethod
    def example(cls) -> Self:
        return cls(
            ref=_POST,
            space_id=cast.SPACE,
            structure_id=cast.COLLEGE,
            author=cast.PUPIL,
            content=_ASKED,
        )


class PostEdited(_Written, frozen=True, kw_only=True):
    """A post's text was changed; `ref.version` is the new one."""

    WIRE: ClassVar = "community.post.edited"

    @classmethod
    def example(cls) -> Self:
        ref = ContentRef(
            kind=ContentKind.QUESTION, id=cast.QUESTION, root_id=cast.QUESTION, version=2
        )
        return cls(
            ref=ref,
            space_id=cast.SPACE,
            structure_id=cast.COLLEGE,
            author=cast.PUPIL,
            content=_ASKED,
        )


class PostRemoved(_Moved, frozen=True, kw_only=True):
    """A post was removed by its author or by a decision; a tombstone stays, replies stay."""

    WIRE: ClassVar = "community.post.removed"

    @classmethod
    def example(cls) -> Self:
        return cls(
            ref=_POST,
            space_id=cast.SPACE,
            structure_id=cast.COLLEGE,
            author=cast.PUPIL,
            by=cast.ZOE,
            reason="by_author",
        )


class PostHidden(_Moved, frozen=True, kw_only=True):
    """A post is no longer shown to readers."""

    WIRE: ClassVar = "community.post.hidden"

    @classmethod
    def example(cls) -> Self:
        return cls(
            ref=_ANSWER,
            space_id=cast.SPACE,
            structure_id=cast.COLLEGE,
            author=cast.TEACHER,
            reason="insult",
            decision_id=cast.DECISION,
        )


class PostRestored(_Moved, frozen=True, kw_only=True):
    """A hidden post is shown again."""

    WIRE: ClassVar = "community.post.restored"

    @classmethod
    def example(cls) -> Self:
        return cls(
            ref=_ANSWER,
            space_id=cast.SPACE,
            structure_id=cast.COLLEGE,
            author=cast.TEACHER,
            decision_id=cast.DECISION,
        )


class CommentPublished(_Written, frozen=True, kw_only=True):
    """A comment was published under a post."""

    WIRE: ClassVar = "community.comment.published"

    @classmethod
    def example(cls) -> Self:
        return cls(
            ref=_COMMENT,
            space_id=cast.SPACE,
            structure_id=cast.COLLEGE,
            author=cast.PUPIL,
            reply_to=cast.TEACHER,
            content=_SAID,
        )


class CommentEdited(_Written, frozen=True, kw_only=True):
    """A comment's text was changed; `ref.version` is the new one."""

    WIRE: ClassVar = "community.comment.edited"

    @classmethod
    def example(cls) -> Self:
        ref = ContentRef(
            kind=ContentKind.COMMENT,
            id=cast.COMMENT,
            root_id=cast.QUESTION,
            parent_id=cast.ANSWER,
            version=2,
        )
        return cls(
            ref=ref,
            space_id=cast.SPACE,
            structure_id=cast.COLLEGE,
            author=cast.PUPIL,
            content=_SAID,
        )


class CommentRemoved(_Moved, frozen=True, kw_only=True):
    """A comment was removed by its author or by a decision."""

    WIRE: ClassVar = "community.comment.removed"

    @classmethod
    def example(cls) -> Self:
        return cls(
            ref=_COMMENT,
            space_id=cast.SPACE,
            structure_id=cast.COLLEGE,
            author=cast.PUPIL,
            by=cast.ZOE,
            reason="by_author",
        )


class CommentHidden(_Moved, frozen=True, kw_only=True):
    """A comment is no longer shown to readers."""

    WIRE: ClassVar = "community.comment.hidden"

    @classmethod
    def example(cls) -> Self:
        return cls(
            ref=_COMMENT,
            space_id=cast.SPACE,
            structure_id=cast.COLLEGE,
            author=cast.PUPIL,
            reason="insult",
            decision_id=cast.DECISION,
        )


class CommentRestored(_Moved, frozen=True, kw_only=True):
    """A hidden comment is shown again."""

    WIRE: ClassVar = "community.comment.restored"

    @classmethod
    def example(cls) -> Self:
        return cls(
            ref=_COMMENT,
            space_id=cast.SPACE,
            structure_id=cast.COLLEGE,
            author=cast.PUPIL,
            decision_id=cast.DECISION,
        )


class AnswerAccepted(_InConversation, frozen=True, kw_only=True):
    """The asker, or the space's animator, accepted an answer. `ref` is the answer."""

    WIRE: ClassVar = "community.answer.accepted"

    author: Person | None = None
    asker: Person | None = None
    accepted_by: MemberId | None = None

    @classmethod
    def example(cls) -> Self:
        return cls(
            ref=_ANSWER,
            space_id=cast.SPACE,
            structure_id=cast.COLLEGE,
            author=cast.TEACHER,
            asker=cast.PUPIL,
            accepted_by=cast.ZOE,
        )


class AnswerUnaccepted(_InConversation, frozen=True, kw_only=True):
    """An answer is no longer the accepted one. `ref` is the answer."""

    WIRE: ClassVar = "community.answer.unaccepted"

    author: Person | None = None
    by: MemberId | None = None

    @classmethod
    def example(cls) -> Self:
        return cls(
            ref=_ANSWER,
            space_id=cast.SPACE,
            structure_id=cast.COLLEGE,
            author=cast.TEACHER,
            by=cast.ZOE,
        )


class ContentFlagged(_InConversation, frozen=True, kw_only=True):
    """Someone reported a content at a version: once per member and version, never one's own."""

    WIRE: ClassVar = "community.content.flagged"

    flagged_by: Person
    reason: str
    author: Person | None = None

    @classmethod
    def example(cls) -> Self:
        return cls(
            ref=_ANSWER,
            space_id=cast.SPACE,
            structure_id=cast.COLLEGE,
            author=cast.TEACHER,
            flagged_by=cast.PUPIL,
            reason="harassment",
        )


PUBLISHES: tuple[type[Fact], ...] = (
    SpaceOpened,
    MembershipJoined,
    MembershipLeft,
    PostPublished,
    PostEdited,
    PostRemoved,
    PostHidden,
    PostRestored,
    CommentPublished,
    CommentEdited,
    CommentRemoved,
    CommentHidden,
    CommentRestored,
    AnswerAccepted,
    AnswerUnaccepted,
    ContentFlagged,
)
