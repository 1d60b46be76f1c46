"""Notifications' mouth and ears."""

from services.notifications.inbox.ports import InboxDeps
from services.notifications.inbox.reactions import remember_reads, tell_managers, tell_people
from shared.contracts.community import AnswerAccepted, CommentPublished, PostPublished
from shared.contracts.metrics import AlertRaised
from shared.contracts.moderation import StatementIssued
from shared.contracts.notifications import PUBLISHES, NotificationRead
from shared.kit.rights.reactions import RIGHTS
from shared.kit.service import Reaction

INBOX: tuple[Reaction[InboxDeps], ...] = (
    Reaction(tell_people, on=(PostPublished, CommentPublished, AnswerAccepted, StatementIssued)),
    Reaction(tell_managers, on=(AlertRaised,)),
)
REMEMBERS: tuple[Reaction[InboxDeps], ...] = (Reaction(remember_reads, on=(NotificationRead,)),)
CONSUMES = (*RIGHTS, *INBOX)

__all__ = ["CONSUMES", "INBOX", "PUBLISHES", "REMEMBERS", "RIGHTS"]
