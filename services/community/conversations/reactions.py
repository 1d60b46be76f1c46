"""What moderation's decisions do to a content: hide, remove, show again."""

from collections.abc import Sequence

from services.community.conversations.domain import ContentNotFound, Standing, move
from services.community.conversations.ports import ConversationsDeps
from shared.contracts.event import Origin
from shared.contracts.moderation import Action, DecidedBy, DecisionMade
from shared.kit.unit import Delivery, Unit

_STANDING = {
    Action.HIDE: Standing.HIDDEN,
    Action.REMOVE: Standing.REMOVED,
    Action.KEEP: Standing.VISIBLE,
}


async def apply_decisions(
    deps: ConversationsDeps, unit: Unit, deliveries: Sequence[Delivery[DecisionMade]]
) -> None:
    """Carry out live decisions, in order; a decision on imported history changes nothing."""
    for delivery in deliveries:
        decision = delivery.fact
        if delivery.origin is Origin.IMPORT:
            continue
        found = await deps.contents.find(unit, delivery.tenant, [decision.ref.id], lock=True)
        content = found.get(decision.ref.id)
        if content is None:
            # Decisions follow contents, so this one names a content of nobody's: look at it.
            raise ContentNotFound(content_id=decision.ref.id)
        if decision.decided_by is DecidedBy.RULE and decision.ref.version < content.version:
            continue  # The rules read what has been edited since; they read the new text, too.
        moved = move(
            content,
            _STANDING[decision.action],
            reason=decision.reason,
            by=decision.moderator_id,
            decision_id=decision.decision_id,
        )
        if moved is not None:
            changed, fact = moved
            await deps.contents.change(unit, changed)
            unit.record(fact, because=delivery)
