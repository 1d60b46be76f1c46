"""Count what happens, by its own time and its own place."""

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
    """Add a batch to the counters; what happened in an unknown space waits for it."""
    happenings = [_happening(delivery) for delivery in deliveries]
    known = await _spaces(deps, unit, happenings)
    early = [each for each in happenings if (each.tenant, each.space_id) not in known]
    if early:
        await deps.counters.lock_spaces(unit, [(each.tenant, each.space_id) for each in early])
        known |= await _spaces(deps, unit, early)
        early = [each for each in early if (each.tenant, each.space_id) not in known]
    if early:
        await deps.counters.defer(unit, early)
    ready = [each for each in happenings if (each.tenant, each.space_id) in known]
    await deps.counters.add_counts(unit, *count_by_day(ready, known))
    pairs = list(zip(deliveries, happenings, strict=True))
    await deps.counters.add_questions(
        unit,
        [(h, str(d.fact.ref.id)) for d, h in pairs if _is(d, ContentKind.QUESTION)],
    )
    await deps.counters.add_first_answers(
        unit,
        [(h, str(d.fact.ref.root_id)) for d, h in pairs if _is(d, ContentKind.ANSWER)],
    )


async def count_deferred_activity(
    deps: ActivityDeps, unit: Unit, deliveries: Sequence[Delivery[SpaceOpened]]
) -> None:
    """Count what happened in a space before it was known."""
    for delivery in deliveries:
        fact = delivery.fact
        await deps.counters.lock_spaces(unit, [(delivery.tenant, fact.space_id)])
        waited = await deps.counters.take_deferred(unit, delivery.tenant, fact.space_id)
        space = Space(fact.space_id, fact.structure_id, fact.path, fact.time_zone)
        known = {(delivery.tenant, fact.space_id): space}
        await deps.counters.add_counts(unit, *count_by_day(waited, known))


def _happening(delivery: Delivery[CountedFact]) -> ActivityEvent:
    fact = delivery.fact
    what, author = "decisions", None
    if isinstance(fact, ContentFlagged):
        what = "flags"
    elif isinstance(fact, PostPublished | CommentPublished):
        what = COUNTER_NAMES[fact.ref.kind]
        author = fact.author.member_id if fact.author else None
    return ActivityEvent(delivery.tenant, fact.space_id, what, delivery.time, author)


def _is(delivery: Delivery[CountedFact], kind: ContentKind) -> bool:
    return isinstance(delivery.fact, PostPublished) and delivery.fact.ref.kind is kind


async def _spaces(
    deps: ActivityDeps, unit: Unit, happenings: Sequence[ActivityEvent]
) -> dict[tuple[TenantId, SpaceId], Space]:
    known = {}
    for tenant in {each.tenant for each in happenings}:
        ids = {each.space_id for each in happenings if each.tenant == tenant}
        found = await deps.dimensions.find_spaces(unit, tenant, sorted(ids))
        known.update({(tenant, space_id): space for space_id, space in found.items()})
    return known
