"""Count events at their own time and in their own space."""

from collections.abc import Sequence

from services.metrics.activity.domain import COUNTER_NAMES, ActivityEvent, count_by_day
from services.metrics.activity.ports import ActivityDeps
from services.metrics.dimensions.domain import Space
from shared.contracts.community import (
    CommentPublished,
    ContentFlagged,
    ContentKind,
    PostPublished,
    SpaceOpened,
)
from shared.contracts.ids import SpaceId, TenantId
from shared.contracts.moderation import DecisionMade
from shared.kit.core.unit_of_work import Delivery, Unit

CountedFact = PostPublished | CommentPublished | ContentFlagged | DecisionMade


async def count_activity(
    deps: ActivityDeps, unit: Unit, deliveries: Sequence[Delivery[CountedFact]]
) -> None:
    """Add a batch to the counters; events of unknown spaces are deferred."""
    events = [_to_activity_event(delivery) for delivery in deliveries]
    spaces = await _find_spaces(deps, unit, events)
    deferred = [event for event in events if (event.tenant, event.space_id) not in spaces]
    if deferred:
        await deps.deferred.lock_spaces(
            unit, [(event.tenant, event.space_id) for event in deferred]
        )
        spaces |= await _find_spaces(deps, unit, deferred)
        deferred = [event for event in deferred if (event.tenant, event.space_id) not in spaces]
    if deferred:
        await deps.deferred.defer(unit, deferred)
    countable = [event for event in events if (event.tenant, event.space_id) in spaces]
    await deps.counters.add_counts(unit, *count_by_day(countable, spaces))
    pairs = list(zip(deliveries, events, strict=True))
    await deps.counters.add_questions(
        unit,
        [
            (event, str(delivery.fact.ref.id))
            for delivery, event in pairs
            if _is_post_of_kind(delivery, ContentKind.QUESTION)
        ],
    )
    await deps.counters.add_first_answers(
        unit,
        [
            (event, str(delivery.fact.ref.root_id))
            for delivery, event in pairs
            if _is_post_of_kind(delivery, ContentKind.ANSWER)
        ],
    )


async def count_deferred_activity(
    deps: ActivityDeps, unit: Unit, deliveries: Sequence[Delivery[SpaceOpened]]
) -> None:
    """Count the deferred events of a space that is known now."""
    for delivery in deliveries:
        fact = delivery.fact
        await deps.deferred.lock_spaces(unit, [(delivery.tenant, fact.space_id)])
        events = await deps.deferred.take_deferred(unit, delivery.tenant, fact.space_id)
        space = Space(fact.space_id, fact.structure_id, fact.path, fact.time_zone)
        spaces = {(delivery.tenant, fact.space_id): space}
        await deps.counters.add_counts(unit, *count_by_day(events, spaces))


def _to_activity_event(delivery: Delivery[CountedFact]) -> ActivityEvent:
    fact = delivery.fact
    counter, author = "decisions", None
    if isinstance(fact, ContentFlagged):
        counter = "flags"
    elif isinstance(fact, PostPublished | CommentPublished):
        counter = COUNTER_NAMES[fact.ref.kind]
        author = fact.author.member_id if fact.author else None
    return ActivityEvent(delivery.tenant, fact.space_id, counter, delivery.time, author)


def _is_post_of_kind(delivery: Delivery[CountedFact], kind: ContentKind) -> bool:
    return isinstance(delivery.fact, PostPublished) and delivery.fact.ref.kind is kind


async def _find_spaces(
    deps: ActivityDeps, unit: Unit, events: Sequence[ActivityEvent]
) -> dict[tuple[TenantId, SpaceId], Space]:
    spaces = {}
    for tenant in {event.tenant for event in events}:
        ids = {event.space_id for event in events if event.tenant == tenant}
        tenant_spaces = await deps.dimensions.find_spaces(unit, tenant, sorted(ids))
        spaces.update({(tenant, space_id): space for space_id, space in tenant_spaces.items()})
    return spaces
