"""Notifications, and the recipients of events. Pure."""

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
    """The actor's inbox has no such notification."""

    key = "notification_not_found"


ABOUT_CONTENTS = ("answer_to_mine", "comment_on_mine", "answer_accepted")
"""Categories whose notifications link to a content; withdrawn while it is unavailable."""


class Category(StrEnum):
    """Why a member is notified. Help, statements and appeals cannot be switched off."""

    ANSWER_TO_MINE = "answer_to_mine"
    COMMENT_ON_MINE = "comment_on_mine"
    ANSWER_ACCEPTED = "answer_accepted"
    STATEMENT = "statement"
    APPEAL_DECIDED = "appeal_decided"
    HELP = "help"
    ALERT = "alert"


@dataclass(frozen=True, slots=True)
class Notification:
    """A message to one member; at most one per event, recipient and category."""

    tenant_id: TenantId
    notification_id: NotificationId
    recipient: MemberId
    category: Category
    cause: EventId
    about: UUID
    """Id of the content, statement or alert that it links to."""
    happened_at: datetime
    words: Mapping[str, str] | None = None
    """Text by language, shown in the inbox itself: words of help."""
    gone: bool = False
    """Whether the content is unavailable: then it is listed only if it was read before."""
    read_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert as stored for delivery to managers; `cause` is the event that raised it."""

    tenant_id: TenantId
    alert_id: AlertId
    structure_id: StructureId
    cause: EventId
    happened_at: datetime


@dataclass(frozen=True, slots=True)
class Duty:
    """A member manages a structure and all below it, from `since` until `until` at most."""

    tenant_id: TenantId
    member_id: MemberId
    role: Role
    structure_id: StructureId
    since: datetime
    until: datetime | None = None


MANAGER_ROLES = (Role.COMMUNITY_MANAGER, Role.ADMINISTRATOR)
"""Roles that receive the alerts of a structure."""


@dataclass(frozen=True, slots=True)
class NotificationTarget:
    """Recipient and category of a notification, and the id that it links to."""

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
    """Return whether an event makes a content unavailable to readers, or available again."""
    return not isinstance(fact, PostRestored | CommentRestored)


def find_target(fact: NotifyingFact) -> NotificationTarget | None:
    """Return the notification of an event, or None; own actions notify no one."""
    if isinstance(fact, StatementIssued | AppealDecided | HelpOffered):
        return _author_target(fact)
    if isinstance(fact, AnswerAccepted):
        if fact.author is None or fact.author.member_id == fact.accepted_by:
            return None
        return NotificationTarget(fact.author.member_id, Category.ANSWER_ACCEPTED, fact.ref.id)
    if fact.reply_to is None:
        return None
    if fact.author is not None and fact.author.member_id == fact.reply_to.member_id:
        return None
    is_answer = fact.ref.kind is ContentKind.ANSWER
    category = Category.ANSWER_TO_MINE if is_answer else Category.COMMENT_ON_MINE
    return NotificationTarget(fact.reply_to.member_id, category, fact.ref.id)


def _author_target(fact: StatementIssued | AppealDecided | HelpOffered) -> NotificationTarget:
    """Return the notification from moderation to the author of a content."""
    if isinstance(fact, StatementIssued):
        return NotificationTarget(fact.recipient.member_id, Category.STATEMENT, fact.statement_id)
    if isinstance(fact, AppealDecided):
        return NotificationTarget(
            fact.appellant.member_id, Category.APPEAL_DECIDED, fact.statement_id
        )
    words = {"fr": fact.words.fr, "en": fact.words.en}
    return NotificationTarget(fact.recipient.member_id, Category.HELP, fact.ref.id, words)
