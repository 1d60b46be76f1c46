"""The reactions of moderation, and the events that it publishes."""

from services.moderation.cases.ports import CasesDeps
from services.moderation.cases.reactions import (
    note_removals_in_cases,
    open_cases_for_flags,
    remember_removals,
)
from services.moderation.screening.domain import ScreeningResult
from services.moderation.screening.ports import ScreeningDeps
from services.moderation.screening.reactions import prepare_screenings, screen_content
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
from shared.kit.rights.reactions import RIGHTS_REACTIONS

SCREENING: tuple[PreparedReaction[ScreeningDeps, ScreeningResult], ...] = (
    PreparedReaction(
        prepare_screenings,
        screen_content,
        on=(PostPublished, PostEdited, CommentPublished, CommentEdited),
        skip_on_replay=True,
    ),
)
CASES: tuple[Reaction[CasesDeps], ...] = (
    Reaction(open_cases_for_flags, on=(ContentFlagged,), skip_on_replay=True),
    Reaction(remember_removals, on=(PostRemoved, CommentRemoved)),
    Reaction(note_removals_in_cases, on=(PostRemoved, CommentRemoved), skip_on_replay=True),
)
CONSUMES = (*RIGHTS_REACTIONS, *SCREENING, *CASES)

__all__ = ["CASES", "CONSUMES", "PUBLISHES", "RIGHTS_REACTIONS", "SCREENING"]
