"""Flags open cases; a content that is gone closes them."""

from collections.abc import Sequence
from dataclasses import replace

from services.moderation.cases.domain import SEVERITY_OF_FLAG, Subject
from services.moderation.cases.handlers.record import open_or_join
from services.moderation.cases.ports import CasesDeps
from shared.contracts.community import CommentRemoved, ContentFlagged, PostRemoved
from shared.contracts.event import Origin
from shared.kit.unit import Delivery, Unit


async def open_cases_for_flags(
    deps: CasesDeps, unit: Unit, deliveries: Sequence[Delivery[ContentFlagged]]
) -> None:
    """Bring what was flagged before a moderator: one case per content, however many flags."""
    for delivery in deliveries:
        if delivery.origin is Origin.IMPORT:
            continue
        fact = delivery.fact
        subject = Subject.of(fact.ref, fact.space_id, fact.structure_id, fact.author)
        severity = SEVERITY_OF_FLAG.get(fact.reason, 1)
        await open_or_join(deps, unit, delivery, subject, "flags", severity, flags=1)


async def close_cases_of_gone(
    deps: CasesDeps, unit: Unit, deliveries: Sequence[Delivery[PostRemoved | CommentRemoved]]
) -> None:
    """Close the case of a content that its author removed."""
    for delivery in deliveries:
        case = await deps.cases.open_on(unit, delivery.tenant, delivery.fact.ref.id)
        if case is not None:
            await deps.cases.put(unit, replace(case, state="closed"))
            unit.record(case.closed("gone"), because=delivery)
