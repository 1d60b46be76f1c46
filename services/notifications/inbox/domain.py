"""What a notification is, and whom a fact concerns. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from shared.contracts.community import (
    AnswerAccepted,
    CommentPublished,
    ContentKind,
    PostPublished,
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
from shared.contracts.moderation import StatementIssued
from shared.kit.errors import NotFound


class NotificationNotFound(NotFound):
    """There is no such notification in one's own inbox."""

    key = "notification_not_found"


class Category(StrEnum):
    """Why someone is told."""

    ANSWER_TO_MINE = "answer_to_mine"
    COMMENT_ON_MINE = "comment_on_mine"
    ANSWER_ACCEPTED = "answer_accepted"
    STATEMENT = "statement"
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


MANAGERS = (Role.COMMUNITY_MANAGER, Role.ADMINISTRATOR)
"""Who answers for what happens in a structure."""

Concern = tuple[MemberId, Category, UUID]
"""Whom it concerns, why, and what to look at."""

Told = PostPublished | CommentPublished | AnswerAccepted | StatementIssued


def concern_of(fact: Told) -> Concern | None:
    """Say whom a fact concerns; nobody is told of what they did themselves."""
    if isinstance(fact, StatementIssued):
        return fact.recipient.member_id, Category.STATEMENT, fact.statement_id
    if isinstance(fact, AnswerAccepted):
        if fact.author is None or fact.author.member_id == fact.accepted_by:
            return None
        return fact.author.member_id, Category.ANSWER_ACCEPTED, fact.ref.id
    if fact.reply_to is None:
        return None
    if fact.author is not None and fact.author.member_id == fact.reply_to.member_id:
        return None
    answer = fact.ref.kind is ContentKind.ANSWER
    category = Category.ANSWER_TO_MINE if answer else Category.COMMENT_ON_MINE
    return fact.reply_to.member_id, category, fact.ref.id
