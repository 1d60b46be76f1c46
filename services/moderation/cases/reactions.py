"""Flags open cases; what an author takes back stays before the moderators."""

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
    """Bring what was flagged before a moderator: one case per content, however many flags."""
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
    """Keep which contents their authors took back; a removal by decision is not one of these."""
    for delivery in deliveries:
        if delivery.fact.decision_id is None:
            content = delivery.fact.ref.id
            await deps.removals.add(unit, delivery.tenant, content, delivery.time)


async def note_removals_in_cases(
    deps: CasesDeps, unit: Unit, deliveries: Sequence[Delivery[Removed]]
) -> None:
    """Note in the open case of a content that its author took it back; the case stays open."""
    for delivery in deliveries:
        ref = delivery.fact.ref
        case = await deps.cases.find_open_and_lock(unit, delivery.tenant, ref.id)
        if case is not None and delivery.fact.decision_id is None:
            entry = CaseEntry("removed_by_author", delivery.time, ref.version)
            await deps.histories.add_entry(unit, case, entry)
