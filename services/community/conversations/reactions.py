"""What moderation's facts do here: decisions hide, remove and show, help reaches its author."""

from collections.abc import Sequence

from services.community.conversations.domain import ContentNotFound, carry_out, reverse
from services.community.conversations.ports import ConversationsDeps, Help
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
            reverse(content, decision)
            if isinstance(decision, DecisionReversed)
            else carry_out(content, decision)
        )
        if change is not None:
            changed, fact = change
            await deps.contents.change(unit, changed)
            if fact is not None:
                unit.record(fact, because=delivery)


async def show_help(
    deps: ConversationsDeps, unit: Unit, deliveries: Sequence[Delivery[HelpOffered]]
) -> None:
    """Keep the words of help for the page of the content; its author alone reads them there."""
    for delivery in deliveries:
        fact = delivery.fact
        words = Help(fact.ref.id, fact.recipient.member_id, fact.reason, fact.words)
        await deps.helps.keep(unit, delivery.tenant, words, delivery.time)
