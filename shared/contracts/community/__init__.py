"""Facts that community publishes: spaces, memberships, posts and comments."""

from shared.contracts.community.comments import (
    CommentEdited,
    CommentHidden,
    CommentPublished,
    CommentRemoved,
    CommentRestored,
)
from shared.contracts.community.contents import (
    ContentKind,
    ContentRef,
    ContentText,
)
from shared.contracts.community.conversations import (
    AnswerAccepted,
    AnswerUnaccepted,
    ContentFlagged,
    PostEdited,
    PostHidden,
    PostPublished,
    PostRemoved,
    PostRestored,
)
from shared.contracts.community.spaces import (
    Joining,
    MembershipJoined,
    MembershipLeft,
    SpaceOpened,
    Visibility,
)
from shared.contracts.event import Fact

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

__all__ = [
    "PUBLISHES",
    "AnswerAccepted",
    "AnswerUnaccepted",
    "CommentEdited",
    "CommentHidden",
    "CommentPublished",
    "CommentRemoved",
    "CommentRestored",
    "ContentFlagged",
    "ContentKind",
    "ContentRef",
    "ContentText",
    "Joining",
    "MembershipJoined",
    "MembershipLeft",
    "PostEdited",
    "PostHidden",
    "PostPublished",
    "PostRemoved",
    "PostRestored",
    "SpaceOpened",
    "Visibility",
]
