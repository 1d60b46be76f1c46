"""Moderation's mouth and ears."""

from services.moderation.cases.ports import CasesDeps
from services.moderation.cases.reactions import (
    note_removals_in_cases,
    open_cases_for_flags,
    remember_removals,
)
from services.moderation.screening.domain import Screened
from services.moderation.screening.ports import ScreeningDeps
from services.moderation.screening.reactions import read_texts, screen_content
from shared.contracts.community import (
    CommentEdited,
    CommentPublished,
    CommentRemoved,
    ContentFlagged,
    PostEdited,
    PostPublished,
    PostRemoved,
)
from shared.contracts.moderation import PUBLISHES
from shared.kit.core.reactions import PreparedReaction, Reaction
from shared.kit.rights.reactions import RIGHTS

SCREENING: tuple[PreparedReaction[ScreeningDeps, Screened], ...] = (
    PreparedReaction(
        read_texts,
        screen_content,
        on=(PostPublished, PostEdited, CommentPublished, CommentEdited),
        decides=True,
    ),
)
CASES: tuple[Reaction[CasesDeps], ...] = (
    Reaction(open_cases_for_flags, on=(ContentFlagged,), decides=True),
    Reaction(remember_removals, on=(PostRemoved, CommentRemoved)),
    Reaction(note_removals_in_cases, on=(PostRemoved, CommentRemoved), decides=True),
)
CONSUMES = (*RIGHTS, *SCREENING, *CASES)

__all__ = ["CASES", "CONSUMES", "PUBLISHES", "RIGHTS", "SCREENING"]
