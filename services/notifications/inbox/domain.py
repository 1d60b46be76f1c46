"""What a notification is, and whom a fact concerns. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from shared.contracts.community import (
    AnswerAccepted,
    CommentHidden,
    CommentPublished,
    CommentRemoved,
    CommentRestored,
    ContentKind,
    PostHidden,
    PostPublished,
    PostRemoved,
    PostRestored,
)
from shared.contracts.identity import Role
from shared.contracts.ids import (
    AlertId,
    EventId,
    MemberId,
    NotificationId,
    StructureId,
    TenantId,
)
from shared.contracts.moderation import AppealDecided, HelpOffered, StatementIssued
from shared.kit.core.errors import NotFound


class NotificationNotFound(NotFound):
    """There is no such notification in one's own inbox."""

    key = "notification_not_found"


ABOUT_CONTENTS = ("answer_to_mine", "comment_on_mine", "answer_accepted")
"""The categories whose notifications lead to a content, and nowhere while that cannot be read."""


class Category(StrEnum):
    """Why someone is told. Whatever is chosen later, help, statements and appeals stay on."""

    ANSWER_TO_MINE = "answer_to_mine"
    COMMENT_ON_MINE = "comment_on_mine"
    ANSWER_ACCEPTED = "answer_accepted"
    STATEMENT = "statement"
    APPEAL_DECIDED = "appeal_decided"
    HELP = "help"
    ALERT = "alert"


@dataclass(frozen=True, slots=True)
class Notification:
    """Something that one person should know; once per cause, recipient and category."""

    tenant_id: TenantId
    notification_id: NotificationId
    recipient: MemberId
    category: Category
    cause: EventId
    about: UUID
    """The content, statement or alert to look at."""
    happened_at: datetime
    words: Mapping[str, str] | None = None
    """Language → words that are read right here: those of help."""
    gone: bool = False
    """Whether the content cannot be read now: then it is shown and counted only if it was read."""
    read_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert that managers are told of: where, when it happened, and which event told it."""

    tenant_id: TenantId
    alert_id: AlertId
    structure_id: StructureId
    cause: EventId
    happened_at: datetime


@dataclass(frozen=True, slots=True)
class Duty:
    """Someone answers for a structure and all below it, from a moment on, until another at most."""

    tenant_id: TenantId
    member_id: MemberId
    role: Role
    structure_id: StructureId
    since: datetime
    until: datetime | None = None


MANAGER_ROLES = (Role.COMMUNITY_MANAGER, Role.ADMINISTRATOR)
"""Who answers for what happens in a structure."""


@dataclass(frozen=True, slots=True)
class NotificationTarget:
    """Whom a fact concerns, why, and what to look at."""

    recipient: MemberId
    category: Category
    about: UUID
    words: Mapping[str, str] | None = None


NotifyingFact = (
    PostPublished
    | CommentPublished
    | AnswerAccepted
    | StatementIssued
    | AppealDecided
    | HelpOffered
)
AvailabilityFact = (
    PostHidden | PostRemoved | PostRestored | CommentHidden | CommentRemoved | CommentRestored
)


def makes_unavailable(fact: AvailabilityFact) -> bool:
    """Return whether readers lose a content by this fact, or have it again."""
    return not isinstance(fact, PostRestored | CommentRestored)


def find_target(fact: NotifyingFact) -> NotificationTarget | None:
    """Return whom a fact concerns; nobody is told of what they did themselves."""
    if isinstance(fact, StatementIssued | AppealDecided | HelpOffered):
        return _concern_of_author(fact)
    if isinstance(fact, AnswerAccepted):
        if fact.author is None or fact.author.member_id == fact.accepted_by:
            return None
        return NotificationTarget(fact.author.member_id, Category.ANSWER_ACCEPTED, fact.ref.id)
    if fact.reply_to is None:
        return None
    if fact.author is not None and fact.author.member_id == fact.reply_to.member_id:
        return None
    answer = fact.ref.kind is ContentKind.ANSWER
    category = Category.ANSWER_TO_MINE if answer else Category.COMMENT_ON_MINE
    return NotificationTarget(fact.reply_to.member_id, category, fact.ref.id)


def _concern_of_author(fact: StatementIssued | AppealDecided | HelpOffered) -> NotificationTarget:
    """Return what moderation has to tell the author of a content."""
    if isinstance(fact, StatementIssued):
        return NotificationTarget(fact.recipient.member_id, Category.STATEMENT, fact.statement_id)
    if isinstance(fact, AppealDecided):
        return NotificationTarget(
            fact.appellant.member_id, Category.APPEAL_DECIDED, fact.statement_id
        )
    words = {"fr": fact.words.fr, "en": fact.words.en}
    return NotificationTarget(fact.recipient.member_id, Category.HELP, fact.ref.id, words)
