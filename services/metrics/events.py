"""Metrics' mouth and ears. What is personal in a fact, it never keeps."""

from services.metrics.activity.ports import ActivityDeps
from services.metrics.activity.reactions import count_activity, count_what_waited
from services.metrics.dimensions.reactions import DIMENSIONS
from services.metrics.reputation.ports import ReputationDeps
from services.metrics.reputation.reactions import remember_alerts, watch_flags
from shared.contracts.community import (
    CommentPublished,
    ContentFlagged,
    PostPublished,
    SpaceOpened,
)
from shared.contracts.metrics import PUBLISHES, AlertClosed, AlertRaised
from shared.contracts.moderation import DecisionMade
from shared.kit.core.reactions import Reaction
from shared.kit.rights.reactions import RIGHTS

ACTIVITY: tuple[Reaction[ActivityDeps], ...] = (
    Reaction(count_what_waited, on=(SpaceOpened,)),
    Reaction(count_activity, on=(PostPublished, CommentPublished, ContentFlagged, DecisionMade)),
)
REPUTATION: tuple[Reaction[ReputationDeps], ...] = (Reaction(watch_flags, on=(ContentFlagged,)),)
REMEMBERS: tuple[Reaction[ReputationDeps], ...] = (
    Reaction(remember_alerts, on=(AlertRaised, AlertClosed)),
)
CONSUMES = (*RIGHTS, *DIMENSIONS, *ACTIVITY, *REPUTATION)

__all__ = ["ACTIVITY", "CONSUMES", "DIMENSIONS", "PUBLISHES", "REMEMBERS", "REPUTATION", "RIGHTS"]
