"""Reactions to flags, which open cases, and to removals, which cases keep for moderators."""

from collections.abc import Sequence

from services.moderation.cases.domain import (
    SEVERITY_BY_FLAG_REASON,
    CaseEntry,
    CaseFlag,
    CaseReason,
    Subject,
)
from services.moderation.cases.handlers.record import open_or_update_case
from services.moderation.cases.ports import CasesDeps
from shared.contracts.community import CommentRemoved, ContentFlagged, PostRemoved
from shared.contracts.event import Origin
from shared.kit.core.unit_of_work import Delivery, Unit

Removed = PostRemoved | CommentRemoved


async def open_cases_for_flags(
    deps: CasesDeps, unit: Unit, deliveries: Sequence[Delivery[ContentFlagged]]
) -> None:
    """Open one case per flagged content, however many flags it has."""
    for delivery in deliveries:
        if delivery.origin is Origin.IMPORT:
            continue
        fact = delivery.fact
        subject = Subject.of(fact.ref, fact.space_id, fact.structure_id, fact.author)
        flag = CaseFlag(fact.flagged_by.member_id, fact.ref.version, fact.reason, delivery.time)
        severity = SEVERITY_BY_FLAG_REASON.get(fact.reason, 1)
        cause = CaseReason("flags", severity, delivery.time, flag)
        await open_or_update_case(deps, unit, delivery, subject, cause)


async def remember_removals(
    deps: CasesDeps, unit: Unit, deliveries: Sequence[Delivery[Removed]]
) -> None:
    """Store removals by authors; a removal by decision is not stored."""
    for delivery in deliveries:
        if delivery.fact.decision_id is None:
            content = delivery.fact.ref.id
            await deps.removals.add(unit, delivery.tenant, content, delivery.time)


async def note_removals_in_cases(
    deps: CasesDeps, unit: Unit, deliveries: Sequence[Delivery[Removed]]
) -> None:
    """Add a removal by the author to the open case of a content; the case stays open."""
    for delivery in deliveries:
        ref = delivery.fact.ref
        case = await deps.cases.find_open_and_lock(unit, delivery.tenant, ref.id)
        if case is not None and delivery.fact.decision_id is None:
            entry = CaseEntry("removed_by_author", delivery.time, ref.version)
            await deps.histories.add_entry(unit, case, entry)
