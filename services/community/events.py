"""Community's mouth and ears."""

from services.community.conversations.ports import ConversationsDeps
from services.community.conversations.reactions import apply_decisions
from shared.contracts.community import PUBLISHES
from shared.contracts.moderation import DecisionMade
from shared.kit.rights.reactions import RIGHTS
from shared.kit.service import Reaction

CONVERSATIONS: tuple[Reaction[ConversationsDeps], ...] = (
    Reaction(apply_decisions, on=(DecisionMade,), decides=True),
)
CONSUMES = (*RIGHTS, *CONVERSATIONS)

__all__ = ["CONSUMES", "CONVERSATIONS", "PUBLISHES", "RIGHTS"]
