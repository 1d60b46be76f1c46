"""Notifications' mouth and ears."""

from services.notifications.inbox.ports import InboxDeps
from services.notifications.inbox.reactions import (
    follow_managers,
    remember_reads,
    tell_managers,
    tell_managers_above,
    tell_people,
)
from shared.contracts.community import (
    AnswerAccepted,
    CommentHidden,
    CommentPublished,
    CommentRemoved,
    CommentRestored,
    PostHidden,
    PostPublished,
    PostRemoved,
    PostRestored,
)
from shared.contracts.identity import RoleGranted, RoleRevoked, StructureOpened
from shared.contracts.metrics import AlertRaised
from shared.contracts.moderation import AppealDecided, HelpOffered, StatementIssued
from shared.contracts.notifications import PUBLISHES, NotificationRead
from shared.kit.core.reactions import Reaction
from shared.kit.rights.reactions import RIGHTS

MOVES = (
    PostHidden,
    PostRemoved,
    PostRestored,
    CommentHidden,
    CommentRemoved,
    CommentRestored,
)
TOLD = (
    PostPublished,
    CommentPublished,
    AnswerAccepted,
    StatementIssued,
    AppealDecided,
    HelpOffered,
)
INBOX: tuple[Reaction[InboxDeps], ...] = (
    Reaction(tell_people, on=(*TOLD, *MOVES)),
    Reaction(tell_managers, on=(AlertRaised,)),
    Reaction(follow_managers, on=(RoleGranted, RoleRevoked)),
    Reaction(tell_managers_above, on=(StructureOpened,)),
)
REMEMBERS: tuple[Reaction[InboxDeps], ...] = (Reaction(remember_reads, on=(NotificationRead,)),)
CONSUMES = (*RIGHTS, *INBOX)

__all__ = ["CONSUMES", "INBOX", "PUBLISHES", "REMEMBERS", "RIGHTS"]
