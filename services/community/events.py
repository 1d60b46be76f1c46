"""Published and consumed events of community."""

from services.community.conversations.ports import ConversationsDeps
from services.community.conversations.reactions import apply_decisions, show_help
from shared.contracts.community import PUBLISHES
from shared.contracts.moderation import DecisionMade, DecisionReversed, HelpOffered
from shared.kit.core.reactions import Reaction
from shared.kit.rights.reactions import RIGHTS_REACTIONS

CONVERSATIONS: tuple[Reaction[ConversationsDeps], ...] = (
    Reaction(apply_decisions, on=(DecisionMade, DecisionReversed), skip_on_replay=True),
    Reaction(show_help, on=(HelpOffered,)),
)
CONSUMES = (*RIGHTS_REACTIONS, *CONVERSATIONS)

__all__ = ["CONSUMES", "CONVERSATIONS", "PUBLISHES", "RIGHTS_REACTIONS"]
