"""Facts on posts: publication, changes, accepted answers and reports."""

from typing import ClassVar, Self

from shared.contracts import example_data
from shared.contracts.community.contents import (
    ANSWER_REF,
    POST_REF,
    QUESTION_TEXT,
    ContentKind,
    ContentRef,
    ConversationFact,
    StateChangeFact,
    TextFact,
)
from shared.contracts.event import Person
from shared.contracts.ids import MemberId


class PostPublished(TextFact, frozen=True, kw_only=True):
    """A discussion, question, announcement or answer was published."""

    WIRE: ClassVar = "community.post.published"

    @classmethod
    def example(cls) -> Self:
        return cls(
            ref=POST_REF,
            space_id=example_data.SPACE,
            structure_id=example_data.COLLEGE,
            author=example_data.PUPIL,
            content=QUESTION_TEXT,
        )


class PostEdited(TextFact, frozen=True, kw_only=True):
    """A post's text was changed; `ref.version` is the new one."""

    WIRE: ClassVar = "community.post.edited"

    @classmethod
    def example(cls) -> Self:
        ref = ContentRef(
            kind=ContentKind.QUESTION,
            id=example_data.QUESTION,
            root_id=example_data.QUESTION,
            version=2,
        )
        return cls(
            ref=ref,
            space_id=example_data.SPACE,
            structure_id=example_data.COLLEGE,
            author=example_data.PUPIL,
            content=QUESTION_TEXT,
        )


class PostRemoved(StateChangeFact, frozen=True, kw_only=True):
    """A post was removed by its author or by a decision; a tombstone and the replies stay."""

    WIRE: ClassVar = "community.post.removed"

    @classmethod
    def example(cls) -> Self:
        return cls(
            ref=POST_REF,
            space_id=example_data.SPACE,
            structure_id=example_data.COLLEGE,
            author=example_data.PUPIL,
            by=example_data.ZOE,
            reason="by_author",
        )


class PostHidden(StateChangeFact, frozen=True, kw_only=True):
    """A post was hidden from readers."""

    WIRE: ClassVar = "community.post.hidden"

    @classmethod
    def example(cls) -> Self:
        return cls(
            ref=ANSWER_REF,
            space_id=example_data.SPACE,
            structure_id=example_data.COLLEGE,
            author=example_data.TEACHER,
            reason="insult",
            decision_id=example_data.DECISION,
        )


class PostRestored(StateChangeFact, frozen=True, kw_only=True):
    """A hidden post is shown again."""

    WIRE: ClassVar = "community.post.restored"

    @classmethod
    def example(cls) -> Self:
        return cls(
            ref=ANSWER_REF,
            space_id=example_data.SPACE,
            structure_id=example_data.COLLEGE,
            author=example_data.TEACHER,
            decision_id=example_data.DECISION,
        )


class AnswerAccepted(ConversationFact, frozen=True, kw_only=True):
    """The asker, or an animator of the space, accepted an answer. `ref` is the answer."""

    WIRE: ClassVar = "community.answer.accepted"

    author: Person | None = None
    asker: Person | None = None
    accepted_by: MemberId | None = None

    @classmethod
    def example(cls) -> Self:
        return cls(
            ref=ANSWER_REF,
            space_id=example_data.SPACE,
            structure_id=example_data.COLLEGE,
            author=example_data.TEACHER,
            asker=example_data.PUPIL,
            accepted_by=example_data.ZOE,
        )


class AnswerUnaccepted(ConversationFact, frozen=True, kw_only=True):
    """An answer is no longer the accepted one. `ref` is the answer."""

    WIRE: ClassVar = "community.answer.unaccepted"

    author: Person | None = None
    by: MemberId | None = None

    @classmethod
    def example(cls) -> Self:
        return cls(
            ref=ANSWER_REF,
            space_id=example_data.SPACE,
            structure_id=example_data.COLLEGE,
            author=example_data.TEACHER,
            by=example_data.ZOE,
        )


class ContentFlagged(ConversationFact, frozen=True, kw_only=True):
    """A member reported a content at a version: once per member and version, never their own."""

    WIRE: ClassVar = "community.content.flagged"

    flagged_by: Person
    reason: str
    author: Person | None = None

    @classmethod
    def example(cls) -> Self:
        return cls(
            ref=ANSWER_REF,
            space_id=example_data.SPACE,
            structure_id=example_data.COLLEGE,
            author=example_data.TEACHER,
            flagged_by=example_data.PUPIL,
            reason="harassment",
        )
