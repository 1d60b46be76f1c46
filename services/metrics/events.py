"""Metrics: events that the service publishes and consumes. It stores no personal data of them."""

from services.metrics.activity.ports import ActivityDeps
from services.metrics.activity.reactions import count_activity, count_deferred_activity
from services.metrics.dimensions.reactions import DIMENSIONS
from services.metrics.reputation.ports import ReputationDeps
from services.metrics.reputation.reactions import raise_alerts, restore_alerts
from shared.contracts.community import (
    CommentPublished,
    ContentFlagged,
    PostPublished,
    SpaceOpened,
)
from shared.contracts.metrics import PUBLISHES, AlertClosed, AlertRaised
from shared.contracts.moderation import DecisionMade
from shared.kit.core.reactions import Reaction
from shared.kit.rights.reactions import RIGHTS_REACTIONS

ACTIVITY: tuple[Reaction[ActivityDeps], ...] = (
    Reaction(count_deferred_activity, on=(SpaceOpened,)),
    Reaction(count_activity, on=(PostPublished, CommentPublished, ContentFlagged, DecisionMade)),
)
REPUTATION: tuple[Reaction[ReputationDeps], ...] = (Reaction(raise_alerts, on=(ContentFlagged,)),)
REPLAY_ONLY: tuple[Reaction[ReputationDeps], ...] = (
    Reaction(restore_alerts, on=(AlertRaised, AlertClosed)),
)
CONSUMES = (*RIGHTS_REACTIONS, *DIMENSIONS, *ACTIVITY, *REPUTATION)

__all__ = [
    "ACTIVITY",
    "CONSUMES",
    "DIMENSIONS",
    "PUBLISHES",
    "REPLAY_ONLY",
    "REPUTATION",
    "RIGHTS_REACTIONS",
]
