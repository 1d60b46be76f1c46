"""What moderation's facts do here: decisions hide, remove and show, help reaches its author."""

from collections.abc import Sequence

from services.community.conversations.domain import (
    ContentNotFound,
    apply_decision,
    reverse_decision,
)
from services.community.conversations.ports import ConversationsDeps, HelpOffer
from shared.contracts.event import Origin
from shared.contracts.moderation import DecisionMade, DecisionReversed, HelpOffered
from shared.kit.core.unit_of_work import Delivery, Unit


async def apply_decisions(
    deps: ConversationsDeps,
    unit: Unit,
    deliveries: Sequence[Delivery[DecisionMade | DecisionReversed]],
) -> None:
    """Carry out live decisions, in order; a decision on imported history changes nothing."""
    for delivery in deliveries:
        decision = delivery.fact
        if delivery.origin is Origin.IMPORT:
            continue
        contents = await deps.contents.find(unit, delivery.tenant, [decision.ref.id], lock=True)
        content = contents.get(decision.ref.id)
        if content is None:
            # Decisions follow contents, so this one names a content of nobody's: look at it.
            raise ContentNotFound(content_id=decision.ref.id)
        change = (
            reverse_decision(content, decision)
            if isinstance(decision, DecisionReversed)
            else apply_decision(content, decision)
        )
        if change is not None:
            changed, fact = change
            await deps.contents.update(unit, changed)
            if fact is not None:
                unit.record(fact, caused_by=delivery)


async def show_help(
    deps: ConversationsDeps, unit: Unit, deliveries: Sequence[Delivery[HelpOffered]]
) -> None:
    """Keep the words of help for the page of the content; its author alone reads them there."""
    for delivery in deliveries:
        fact = delivery.fact
        words = HelpOffer(fact.ref.id, fact.recipient.member_id, fact.reason, fact.words)
        await deps.help_offers.save(unit, delivery.tenant, words, delivery.time)
