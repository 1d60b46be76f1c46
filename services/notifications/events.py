"""Notifications: events that the service publishes and consumes."""

from services.notifications.inbox.ports import InboxDeps
from services.notifications.inbox.reactions import (
    notify_managers,
    notify_managers_above,
    notify_members,
    record_manager_duties,
    restore_reads,
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
from shared.kit.rights.reactions import RIGHTS_REACTIONS

AVAILABILITY_FACTS = (
    PostHidden,
    PostRemoved,
    PostRestored,
    CommentHidden,
    CommentRemoved,
    CommentRestored,
)
NOTIFYING_FACTS = (
    PostPublished,
    CommentPublished,
    AnswerAccepted,
    StatementIssued,
    AppealDecided,
    HelpOffered,
)
INBOX: tuple[Reaction[InboxDeps], ...] = (
    Reaction(notify_members, on=(*NOTIFYING_FACTS, *AVAILABILITY_FACTS)),
    Reaction(notify_managers, on=(AlertRaised,)),
    Reaction(record_manager_duties, on=(RoleGranted, RoleRevoked)),
    Reaction(notify_managers_above, on=(StructureOpened,)),
)
REPLAY_ONLY: tuple[Reaction[InboxDeps], ...] = (Reaction(restore_reads, on=(NotificationRead,)),)
CONSUMES = (*RIGHTS_REACTIONS, *INBOX)

__all__ = ["CONSUMES", "INBOX", "PUBLISHES", "REPLAY_ONLY", "RIGHTS_REACTIONS"]
