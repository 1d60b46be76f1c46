"""Facts on comments."""

from typing import ClassVar, Self

from shared.contracts import example_data
from shared.contracts.community.contents import (
    COMMENT_REF,
    COMMENT_TEXT,
    ContentKind,
    ContentRef,
    StateChangeFact,
    TextFact,
)


class CommentPublished(TextFact, frozen=True, kw_only=True):
    """A comment was published under a post."""

    WIRE: ClassVar = "community.comment.published"

    @classmethod
    def example(cls) -> Self:
        return cls(
            ref=COMMENT_REF,
            space_id=example_data.SPACE,
            structure_id=example_data.COLLEGE,
            author=example_data.PUPIL,
            reply_to=example_data.TEACHER,
            content=COMMENT_TEXT,
        )


class CommentEdited(TextFact, frozen=True, kw_only=True):
    """A comment's text was changed; `ref.version` is the new one."""

    WIRE: ClassVar = "community.comment.edited"

    @classmethod
    def example(cls) -> Self:
        ref = ContentRef(
            kind=ContentKind.COMMENT,
            id=example_data.COMMENT,
            root_id=example_data.QUESTION,
            parent_id=example_data.ANSWER,
            version=2,
        )
        return cls(
            ref=ref,
            space_id=example_data.SPACE,
            structure_id=example_data.COLLEGE,
            author=example_data.PUPIL,
            content=COMMENT_TEXT,
        )


class CommentRemoved(StateChangeFact, frozen=True, kw_only=True):
    """A comment was removed by its author or by a decision."""

    WIRE: ClassVar = "community.comment.removed"

    @classmethod
    def example(cls) -> Self:
        return cls(
            ref=COMMENT_REF,
            space_id=example_data.SPACE,
            structure_id=example_data.COLLEGE,
            author=example_data.PUPIL,
            by=example_data.ZOE,
            reason="by_author",
        )


class CommentHidden(StateChangeFact, frozen=True, kw_only=True):
    """A comment was hidden from readers."""

    WIRE: ClassVar = "community.comment.hidden"

    @classmethod
    def example(cls) -> Self:
        return cls(
            ref=COMMENT_REF,
            space_id=example_data.SPACE,
            structure_id=example_data.COLLEGE,
            author=example_data.PUPIL,
            reason="insult",
            decision_id=example_data.DECISION,
        )


class CommentRestored(StateChangeFact, frozen=True, kw_only=True):
    """A hidden comment is shown again."""

    WIRE: ClassVar = "community.comment.restored"

    @classmethod
    def example(cls) -> Self:
        return cls(
            ref=COMMENT_REF,
            space_id=example_data.SPACE,
            structure_id=example_data.COLLEGE,
            author=example_data.PUPIL,
            decision_id=example_data.DECISION,
        )
