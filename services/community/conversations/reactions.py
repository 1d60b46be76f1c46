"""Reactions to moderation's events: apply decisions to contents, store help for authors."""

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
    """Apply decisions in order; decisions about imported content change nothing.

    Raises `ContentNotFound` when the content is unknown, which parks the event.
    """
    for delivery in deliveries:
        decision = delivery.fact
        if delivery.origin is Origin.IMPORT:
            continue
        contents = await deps.contents.lock(unit, delivery.tenant, [decision.ref.id])
        content = contents.get(decision.ref.id)
        if content is None:
            # A decision is published after its content, so an unknown id needs an operator.
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
    """Store help messages, which the content's author reads on its page."""
    for delivery in deliveries:
        fact = delivery.fact
        words = HelpOffer(fact.ref.id, fact.recipient.member_id, fact.reason, fact.words)
        await deps.help_offers.save(unit, delivery.tenant, words, delivery.time)
